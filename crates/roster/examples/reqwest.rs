//! HTTP by URL: requests go to the instances of a service, past one that leaves and one that refuses.
//!
//! Its last line is `30 of 30 answered`.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use reqwest::redirect::Policy;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use zk_roster::reqwest::Http;
use zk_roster::{CallConfig, Client, RunningService, Service, Zk};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In place of an ensemble.
    let zookeeper = zk_embedded::Server::start().await?;
    let zk = zk_roster::connect(&zookeeper.connect_string())?;
    let mut servers = Vec::new();
    for name in ["a", "b", "c"] {
        servers.push(serve(&zk, name).await?);
    }

    let web = Client::follow(&zk, "/services/web").await?;
    let connect = CallConfig::CONNECT;
    // A pool of connections for each instance, which goes with it.
    let http = Http::with_pools(web, move |_| {
        reqwest::Client::builder().connect_timeout(connect).redirect(Policy::none()).no_proxy().build()
    });
    let url: reqwest::Url = "http://web/name?page=2".parse()?;
    let mut answered = 0;
    for n in 0..30 {
        match n {
            // One leaves as it should, and another one is gone from one moment to the next.
            10 => servers[0].0.leave().await?,
            20 => servers[1].1.abort(),
            _ => {}
        }
        let response = http.execute(reqwest::Request::new(reqwest::Method::GET, url.clone())).await?;
        let from = response.url().clone();
        println!("{from} says {}", response.text().await?);
        answered += 1;
    }
    zk.close(Duration::from_secs(1)).await?;
    println!("{answered} of 30 answered");
    Ok(())
}

async fn serve(zk: &Zk, name: &'static str) -> std::io::Result<(RunningService, JoinHandle<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let service = Service::new(zk, "/services/web").serve_on(&listener).map_err(std::io::Error::other)?;
    service.registered().await.map_err(std::io::Error::other)?;
    let app = Router::new().route("/name", get(async move || name));
    // Runs until it is aborted, or the program ends.
    let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap_or_default() });
    Ok((service, serving))
}
