//! The world behind its lock, and the task that lets its time pass.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::dial::Dialled;
use crate::settings::Settings;
use crate::world::World;

#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    wake: Arc<Notify>,
}

impl Shared {
    /// Begins, with a task that ends when the last handle is dropped.
    pub(crate) fn start(settings: Settings) -> Arc<Self> {
        let wake = Arc::new(Notify::new());
        let shared = Arc::new(Self { world: Mutex::new(World::new(settings)), wake: wake.clone() });
        tokio::spawn(pump(Arc::downgrade(&shared), wake));
        shared
    }

    /// Changes the world, and wakes the task if something is planned now for a time at which it sleeps.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut World, Instant) -> T) -> T {
        let mut world = self.world.lock();
        let result = change(&mut world, Instant::now());
        if world.is_overslept() {
            self.wake.notify_one();
        }
        result
    }

    fn run(&self) -> Option<Instant> {
        let mut dialled = Vec::new();
        let next = self.world.lock().run(Instant::now(), &mut dialled);
        // Without the lock: a connection that nobody waits for any more hangs up right here.
        for Dialled { deliver, outcome } in dialled {
            deliver(outcome);
        }
        next
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

async fn pump(shared: Weak<Shared>, wake: Arc<Notify>) {
    while let Some(shared) = shared.upgrade() {
        let next = shared.run();
        drop(shared);
        let time = async {
            match next {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = wake.notified() => {}
            () = time => {}
        }
    }
}
