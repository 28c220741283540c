//! Tasks that end before their time: every handle shows it, and no call hangs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod in_virtual_time;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use in_virtual_time::*;
use instance::{DecodeError, Decoded, EncodeError, Encoded, Endpoint, Format, Instance, Plain};
use registry::{RegisterError, Registrar, RegistrarConfig, Registration, RegistrationStatus};
use tokio::runtime::Builder;
use tokio::time::timeout;

/// A format whose author has made a mistake.
#[derive(Debug)]
struct Panicking;

impl Format for Panicking {
    fn name(&self) -> &'static str {
        "panicking"
    }

    fn encode(&self, instance: &Instance) -> Result<Encoded, EncodeError> {
        Plain.encode(instance)
    }

    fn decode_name(&self, segment: &str) -> Result<Option<Endpoint>, DecodeError> {
        Plain.decode_name(segment)
    }

    fn decode(&self, _segment: &str, _data: &[u8]) -> Result<Decoded, DecodeError> {
        panic!("a mistake in a format")
    }
}

/// Checks that a registration shows the end of its task, and that no call waits for it.
async fn assert_abandoned(registration: &Registration) {
    let is_final =
        async { registration.statuses().wait_for(RegistrationStatus::is_final).await.unwrap().clone() };
    assert_eq!(timeout(SOON, is_final).await.unwrap(), RegistrationStatus::Abandoned);
    let waits = async {
        assert!(matches!(registration.registered().await, Err(RegisterError::Deregistered(_))));
        assert!(matches!(registration.updated().await, Err(RegisterError::Deregistered(_))));
        registration.deregister(SOON).await.unwrap_err();
    };
    timeout(Duration::from_millis(1), waits).await.expect("at once");
    let endpoint = registration.path().name().parse().unwrap();
    let updated = registration.update(Instance::new(endpoint));
    assert!(matches!(updated, Err(RegisterError::Deregistered(_))));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_format_abandons_its_registration_and_no_other() {
    let service = Service::on(even());
    let config = || RegistrarConfig::new(path(ROOT));
    let registrar = Registrar::with_format(&service.zk, config(), Arc::new(Panicking));
    let register = |i| registrar.register(instance(i)).unwrap();
    let others = [register(1)];
    all_registered(&others).await;
    let rival = service.ensemble.operator();
    let waiting = register(2);
    rival.create_ephemeral(waiting.path(), "theirs").unwrap();
    let waits = tokio::spawn(async move {
        let end = waiting.registered().await;
        (waiting, end)
    });
    let (abandoned, end) = timeout(SOON, waits).await.expect("the wait ends").unwrap();
    end.unwrap_err();
    assert_abandoned(&abandoned).await;
    assert!(others[0].status().is_registered());
    // Its name is free, and the registrar does not wait for it.
    rival.delete(abandoned.path()).unwrap();
    all_registered(&[register(2)]).await;
    registrar.shutdown(SOON).await.unwrap();
}

#[test]
fn a_runtime_that_is_dropped_abandons_its_registrations() {
    let runtime = || Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let first = runtime();
    let (_service, registrations) = first.block_on(async {
        let service = Service::on(even());
        let mut registrations = service.registered(0..2).await;
        // This one has never had a connection.
        service.ensemble.refuse_connects(true);
        service.ensemble.cut();
        registrations.push(service.register(2));
        (service, registrations)
    });
    drop(first);
    runtime().block_on(async {
        for registration in &registrations {
            assert_abandoned(registration).await;
        }
    });
}

/// Panics once, where the registrar's task writes a line that no other task does.
struct PanickingLog(Arc<AtomicBool>);

impl io::Write for PanickingLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if String::from_utf8_lossy(line).contains("shared watch installed") {
            assert!(self.0.swap(true, Ordering::SeqCst), "a mistake in a subscriber");
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_registrars_task_abandons_its_registrations() {
    let has_panicked = Arc::new(AtomicBool::new(false));
    let log = move || PanickingLog(has_panicked.clone());
    let subscriber = tracing_subscriber::fmt().with_writer(log).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let service = Service::on(even());
    let few = service.registered(0..2).await;
    let many: Vec<_> = (2..MANY).map(|i| service.register(i)).collect();
    for registration in few.iter().chain(&many) {
        assert_abandoned(registration).await;
    }
    assert_abandoned(&service.register(MANY)).await;
    let error = timeout(SOON, service.registrar.shutdown(SOON)).await.unwrap().unwrap_err();
    assert_eq!(error.left, MANY + 1, "their znodes may still exist");
}

#[test]
fn a_registration_outside_a_runtime_takes_no_name() {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let service = runtime.block_on(async { Service::on(even()) });
    let outside = std::panic::AssertUnwindSafe(|| service.register(0));
    assert!(std::panic::catch_unwind(outside).is_err());
    runtime.block_on(async { all_registered(&[service.register(0)]).await });
}
