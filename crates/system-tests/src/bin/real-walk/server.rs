//! A recording server: `real-walk server`. It answers each connection with a line, and records what it wants and what its
//! registration says.
//!
//! SIGUSR1 gives it another weight; any signal that asks to stop has it leave, finish, and end with 0.

use std::net::Ipv4Addr;
use std::time::Duration;

use oracle::{Data, Stated, What};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use zk_program::Signals;
use zk_roster::{RegistrationStatus, Service, ServiceStatus, Zk};

use crate::child::{Child, Failed};
use crate::flags::Flags;
use crate::once;
use crate::settings::{AUDIT, CLOSING, ROOT};

/// The flags beside those of every recording process.
pub(crate) const FLAGS: [&str; 3] = ["--port", "--weight", "--kind"];

/// How long an answer takes at least, so that whoever kills the server meets calls in flight.
const WORK: Duration = Duration::from_millis(2);

/// The weight that SIGUSR1 sets follows from the one before: from 50 to 149, never the same again at once.
fn next_weight(weight: u32) -> u32 {
    50 + (weight + 37) % 100
}

pub(crate) async fn run(child: Child, flags: &Flags) -> Result<(), Failed> {
    // First of all: a signal must not end a server that has begun to register.
    let stop = Signals::install(&[])?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, flags.need("--port")?)).await?;
    let name = listener.local_addr()?.to_string();
    let zk = child.link()?;
    match flags.need::<String>("--kind")?.as_str() {
        "ours" => kept(&child, &zk, listener, name, flags.need("--weight")?, stop).await?,
        "once-ephemeral" => once::run(&child, &zk, listener, name, once::Kind::Ephemeral, stop).await?,
        "once-persistent" => once::run(&child, &zk, listener, name, once::Kind::Persistent, stop).await?,
        kind => return Err(format!("no kind of server: {kind}").into()),
    }
    // What is not confirmed in time is logged; ZooKeeper ends the session by itself then.
    let _ = zk.close(CLOSING).await;
    Ok(())
}

/// A server that the project keeps registered.
async fn kept(
    child: &Child,
    zk: &Zk,
    listener: TcpListener,
    name: String,
    mut weight: u32,
    mut stop: Signals,
) -> Result<(), Failed> {
    let wanted = |weight| What::Wanted {
        process: child.name.clone(),
        name: name.clone(),
        data: Data { weight: Some(weight), draining: false, incarnation: None },
    };
    let mut reweigh = signal(SignalKind::user_defined1())?;
    child.recorder.record(wanted(weight));
    let service = Service::new(zk, ROOT)
        .weight(weight)
        .registrar(|config| config.with_audit_interval(AUDIT).expect("the interval is in range"))
        .serve_on(&listener)?;
    let (accepting, recording) = (serve(listener, name.clone()), record(child, &name, service.statuses()));
    loop {
        tokio::select! {
            _ = stop.stop() => break,
            _ = reweigh.recv() => {
                weight = next_weight(weight);
                child.recorder.record(wanted(weight));
                service.update(|record| record.weight = weight)?;
            }
        }
    }
    child.recorder.record(What::Unwanted { process: child.name.clone(), name });
    // What is not confirmed goes on for as long as the link is open.
    let _ = service.leave().await;
    accepting.abort();
    // Callers that are being answered get their whole line.
    sleep(10 * WORK).await;
    recording.abort();
    Ok(())
}

/// Answers each connection with a line. Ends with the process, or when it is aborted.
pub(crate) fn serve(listener: TcpListener, name: String) -> JoinHandle<()> {
    let line = format!("{name} is here\n");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let line = line.clone();
            tokio::spawn(async move {
                sleep(WORK).await;
                // The caller may have left.
                let _ = stream.write_all(line.as_bytes()).await;
            });
        }
    })
}

/// Records each status of the registration. Ends with the service, or when it is aborted.
fn record(child: &Child, name: &str, mut statuses: watch::Receiver<ServiceStatus>) -> JoinHandle<()> {
    let (child, name) = (child.clone(), name.to_owned());
    tokio::spawn(async move {
        let mut last = None;
        loop {
            let status = statuses.borrow_and_update().clone();
            let first = status.instances.first();
            let stated = first.and_then(|instance| instance.registration.as_ref()).map(stated);
            if let Some(status) = stated.clone()
                && stated != last
            {
                let (process, name) = (child.name.clone(), name.clone());
                child.recorder.record(What::Status { process, name, status });
                last = stated;
            }
            if statuses.changed().await.is_err() {
                return;
            }
        }
    })
}

fn stated(status: &RegistrationStatus) -> Stated {
    match status {
        RegistrationStatus::Registered { czxid, session } => {
            Stated::Registered { czxid: czxid.0, session: session.0 }
        }
        RegistrationStatus::Unconfirmed => Stated::Unconfirmed,
        RegistrationStatus::Conflict(_) => Stated::Conflict,
        RegistrationStatus::Deregistered => Stated::Deregistered,
        RegistrationStatus::Abandoned => Stated::Abandoned,
        _ => Stated::Pending,
    }
}
