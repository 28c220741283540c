//! Calls through this project.

use tower::{ServiceExt, service_fn};
use zk_roster::reqwest::Http;
use zk_roster::tonic::BalancedChannel;
use zk_roster::tower::{Balanced, Cloned};
use zk_roster::{CallConfig, Callee, Client, Zk};

use crate::grpc;
use crate::method::Method;
use crate::over_http2;
use crate::plain_http;
use crate::scene::ROOT;

/// `Client::call_idempotent`.
pub(crate) async fn call(zk: &Zk) -> Method {
    let client = Client::follow(zk, ROOT).await.unwrap();
    Method::new("`zk_roster::Client::call_idempotent`", move || get(client.clone()))
}

/// The adapter for tower, on a connection of HTTP/2 for each instance.
pub(crate) async fn tower(zk: &Zk) -> Method {
    let client = Client::follow(zk, ROOT).await.unwrap();
    let service = Balanced::new(&client, service_fn(over_http2::connect)).repeating(Cloned).idempotent(true);
    Method::new("`zk_roster::tower::Balanced`, HTTP/2", move || {
        let answer = service.clone().oneshot(over_http2::get());
        async move { answer.await.map_err(|error| error.to_string()) }
    })
}

/// The adapter for tonic.
pub(crate) async fn tonic(zk: &Zk) -> Method {
    let channel = BalancedChannel::new(&Client::follow(zk, ROOT).await.unwrap()).idempotent(true);
    Method::new("`zk_roster::tonic::BalancedChannel`", move || grpc::check(channel.clone()))
}

/// The adapter for reqwest.
pub(crate) async fn reqwest(zk: &Zk) -> Method {
    let client = Client::follow(zk, ROOT).await.unwrap();
    let reqwest = reqwest::Client::builder().connect_timeout(CallConfig::CONNECT).build().unwrap();
    let http = Http::new(client, reqwest.clone());
    Method::new("`zk_roster::reqwest::Http`", move || {
        let (http, request) = (http.clone(), reqwest.get("http://greeter/").build());
        async move {
            let answer = http.execute(request.unwrap()).await.map_err(|error| error.to_string())?;
            let answer = answer.error_for_status().map_err(|error| error.to_string())?;
            answer.bytes().await.map(drop).map_err(|error| error.to_string())
        }
    })
}

/// As the first, without a second attempt: what the failures cost whoever makes none. It is the negative control.
pub(crate) async fn single_attempt(zk: &Zk) -> Method {
    let config = CallConfig::default().with_max_attempts(1, 1).unwrap();
    let client = Client::builder(zk, ROOT).unwrap().calls(config).follow().await.unwrap();
    Method::new("the first with one attempt only", move || get(client.clone()))
}

async fn get(client: Client) -> Result<(), String> {
    let get = |callee: Callee| plain_http::get(callee.endpoint().clone(), callee.connect_timeout());
    client.call_idempotent(get).await.map_err(|error| error.to_string())
}
