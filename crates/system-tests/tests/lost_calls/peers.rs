//! Calls through the balancers that tonic and tower bring, fed from this project's discovery.
//!
//! They get what a careful user would give them: an instance leaves them once its record says that it is draining, and they
//! have the limits of this project's calls for connecting and for the whole call.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::timeout;
use tonic::transport::channel::{self, Channel, Endpoint};
use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::discover::{Change, Discover};
use tower::load::{CompleteOnResponse, PeakEwmaDiscover};
use tower::{BoxError, Service, ServiceExt, service_fn};
use zk_roster::tower::discover;
use zk_roster::{CallConfig, Client, Zk};

use crate::grpc;
use crate::method::Method;
use crate::plain_http;
use crate::scene::ROOT;

/// For calls that wait: more than there ever are.
const BUFFER: usize = 2_048;
/// As in tower's example: what an instance without samples is taken for, and for how long a sample counts.
const DEFAULT_RTT: Duration = Duration::from_millis(30);
const DECAY: Duration = Duration::from_secs(10);

/// A client of gRPC on tonic's balanced channel.
pub(crate) async fn tonic(zk: &Zk) -> Method {
    let limits = CallConfig::default();
    let (connect, overall) = (limits.connect(), limits.overall());
    let (channel, sender) = Channel::balance_channel(BUFFER);
    let mut instances = discover(&Client::follow(zk, ROOT).await.unwrap(), move |instance| {
        let callee = Endpoint::from_shared(format!("http://{}", instance.endpoint())).unwrap();
        callee.connect_timeout(connect).timeout(overall)
    });
    // Ends with the channel.
    tokio::spawn(async move {
        while let Some(Ok(change)) = poll_fn(|cx| Pin::new(&mut instances).poll_discover(cx)).await {
            let change = match change {
                Change::Remove(endpoint) => channel::Change::Remove(endpoint),
                Change::Insert(endpoint, callee) => channel::Change::Insert(endpoint, callee),
            };
            if sender.send(change).await.is_err() {
                return;
            }
        }
    });
    Method::new("tonic's `Channel::balance_channel`", move || grpc::check(channel.clone()))
}

/// tower's choice of two by peak EWMA.
pub(crate) async fn tower(zk: &Zk) -> Method {
    let limits = CallConfig::default();
    let (connect, overall) = (limits.connect(), limits.overall());
    let services = discover(&Client::follow(zk, ROOT).await.unwrap(), move |instance| {
        let endpoint = instance.endpoint().clone();
        service_fn(move |()| plain_http::get(endpoint.clone(), connect))
    });
    let services = PeakEwmaDiscover::new(services, DEFAULT_RTT, DECAY, CompleteOnResponse::default());
    let balance = Buffer::new(Balance::new(services), BUFFER);
    Method::new("tower's `p2c::Balance` by `PeakEwma`", move || {
        let mut balance = balance.clone();
        async move {
            let call = async { balance.ready().await?.call(()).await };
            let answer =
                timeout(overall, call).await.map_err(|_| BoxError::from(io::ErrorKind::TimedOut.to_string()));
            answer.flatten().map_err(|error| error.to_string())
        }
    })
}
