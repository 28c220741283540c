//! A service for the tests of clients: `GET /` by HTTP/1 or HTTP/2, and gRPC's health service, on one port.
//!
//! Takes `--zookeeper HOSTS`, `--session-timeout MILLISECONDS`, `--root PATH` and `--port PORT`. An answer takes a few
//! milliseconds, so that whoever kills it meets calls in flight. SIGTERM has it leave, finish what it has begun, and exit with 0.

use std::error::Error;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tonic::service::Routes;
use zk_roster::{Service, Zk, ZkConfig};

/// How long an answer takes at least.
const WORK: Duration = Duration::from_millis(5);
/// How long the end of the session may take.
const CLOSING: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    zk_program::log::init("info");
    zk_program::runtime()?.block_on(serve())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let session = Duration::from_millis(flag("--session-timeout")?.parse()?);
    let zk = Zk::start(ZkConfig::new(&flag("--zookeeper")?)?.with_session_timeout(session)?)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, flag("--port")?.parse()?)).await?;
    let address = listener.local_addr()?;
    let service = Service::new(&zk, flag("--root")?.as_str()).serve_on(&listener)?;

    let (_reporter, health) = tonic_health::server::health_reporter();
    let app = Routes::new(health)
        .prepare()
        .into_axum_router()
        .merge(Router::new().route("/", get(async move || format!("greetings from {address}\n"))))
        .layer(middleware::from_fn(work));
    axum::serve(listener, app).with_graceful_shutdown(service.leave_on_signal()).await?;
    // What is not confirmed in time is logged; ZooKeeper ends the session by itself then.
    let _ = zk.close(CLOSING).await;
    Ok(())
}

async fn work(request: Request, next: Next) -> Response {
    sleep(WORK).await;
    next.run(request).await
}

fn flag(name: &str) -> Result<String, String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).ok_or_else(|| format!("{name} is missing"))
}
