//! HTTP by URL, with real servers: what is sent, what is repeated, and what becomes of connections.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod server;

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use reqwest::{Body, Method, Request, Url};
use tokio::sync::Notify;
use zk_embedded::Shutdown;
use zk_roster::reqwest::Http;
use zk_roster::{CallConfig, Client, GaveUp, Service, Strategy, Zk};
use zk_testing::eventually;

use server::{Deed, ROOT, Server};

/// A ZooKeeper of one test.
struct Bed {
    zookeeper: zk_embedded::Server,
    zk: Zk,
}

impl Bed {
    async fn start() -> Self {
        let zookeeper = zk_embedded::Server::start().await.unwrap();
        let zk = zk_roster::connect(&zookeeper.connect_string()).unwrap();
        Self { zookeeper, zk }
    }

    /// A client that has not called anybody yet, and knows that many instances.
    async fn client(&self, instances: usize, calls: CallConfig) -> Client {
        let builder = Client::builder(&self.zk, ROOT).unwrap().strategy(Strategy::RoundRobin).calls(calls);
        let client = builder.follow().await.unwrap();
        eventually("the instances are known", async || client.balancer().status().len() == instances).await;
        client
    }

    async fn http(&self, instances: usize) -> Http {
        Http::new(self.client(instances, patient()).await, plain())
    }

    async fn end(self) {
        self.zk.close(Duration::from_secs(1)).await.unwrap();
        self.zookeeper.shutdown(Shutdown::CloseConnections).await;
    }
}

/// An attempt must not fail as the machine is busy.
fn patient() -> CallConfig {
    CallConfig::new(Duration::from_secs(10), Duration::from_secs(20)).unwrap()
}

fn plain() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn request(method: Method) -> Request {
    Request::new(method, Url::parse("http://web/users?page=2").unwrap())
}

fn idempotent() -> [Method; 6] {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE]
}

#[tokio::test]
async fn a_request_goes_to_the_instance_with_its_own_path_and_headers() {
    let bed = Bed::start().await;
    let server = Server::start(&bed.zk, Deed::FINE).await;
    let http = bed.http(1).await;

    let response = http.execute(request(Method::GET)).await.unwrap();
    assert_eq!(response.url().as_str(), format!("http://{}/users?page=2", server.address));
    assert_eq!(response.text().await.unwrap(), "fine");
    let mut named = request(Method::GET);
    named.headers_mut().insert("host", "web.example".parse().unwrap());
    http.execute_for("a key", named).await.unwrap();

    let hosts = server.requests().into_iter().map(|head| {
        assert!(head.starts_with("get /users?page=2 "), "{head}");
        head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
    });
    assert_eq!(hosts.collect::<Vec<_>>(), [server.address.clone(), "web.example".into()]);
    bed.end().await;
}

#[tokio::test]
async fn an_operation_of_ones_own_needs_no_more_than_the_url() {
    let bed = Bed::start().await;
    let _nobody = Server::nobody(&bed.zk).await;
    let _server = Server::start(&bed.zk, Deed::FINE).await;
    let (web, http) = (bed.client(2, patient()).await, plain());
    for _ in 0..4 {
        let response = web.call(|callee| http.get(callee.url("http", "/")).send()).await.unwrap();
        assert_eq!(response.text().await.unwrap(), "fine");
    }
    let body = web.call_idempotent(move |callee| {
        let sent = http.get(callee.url("http", "/")).send();
        async move { sent.await?.error_for_status()?.text().await }
    });
    assert_eq!(body.await.unwrap(), "fine");
    bed.end().await;
}

#[tokio::test]
async fn an_idempotent_request_goes_on_after_a_reset_and_no_other_does() {
    let bed = Bed::start().await;
    let resets = Server::start(&bed.zk, Deed::Reset).await;

    let error = bed.http(1).await.execute(request(Method::POST)).await.unwrap_err();
    assert_eq!((error.reason(), error.count()), (GaveUp::Final, 1), "{error:?}");
    assert!(error.attempts()[0].error.as_ref().unwrap().sending().is_some(), "{error:?}");
    assert_eq!(resets.requests().len(), 1);

    let _fine = Server::start(&bed.zk, Deed::FINE).await;
    for method in idempotent() {
        let before = resets.requests().len();
        let http = bed.http(2).await;
        // One of two calls begins at each.
        for _ in 0..2 {
            assert_eq!(http.execute(request(method.clone())).await.unwrap().status(), 200);
        }
        assert!(resets.requests().len() > before, "{method}");
    }
    bed.end().await;
}

#[tokio::test]
async fn an_instance_that_comes_back_gets_no_copy_of_what_changes_something() {
    let bed = Bed::start().await;
    let fine = Server::start(&bed.zk, Deed::FINE).await;
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap().to_string();
    let service = Service::new(&bed.zk, ROOT).serve_on(&nobody).unwrap();
    service.registered().await.unwrap();
    drop(nobody);
    let http = bed.http(2).await;
    let mut calls = 0;
    let mut call = async || {
        http.execute(request(Method::PUT)).await.unwrap();
        calls += 1;
    };
    eventually("the instance that refuses is ejected", async || {
        call().await;
        http.client().status().ejected > 0
    })
    .await;
    let back = Server::at(&address, Deed::FINE).await;
    eventually("the instance that is back is called", async || {
        call().await;
        back.requests().len() >= 2
    })
    .await;
    assert_eq!(fine.requests().len() + back.requests().len(), calls, "each is served once");
    bed.end().await;
}

#[tokio::test]
async fn what_was_not_sent_or_not_served_goes_on_whatever_the_method() {
    let bed = Bed::start().await;
    let _nobody = Server::nobody(&bed.zk).await;
    let busy = Server::start(&bed.zk, Deed::Answer(429, "", "")).await;
    let later = Server::start(&bed.zk, Deed::Answer(503, "retry-after: 1\r\n", "")).await;
    let fine = Server::start(&bed.zk, Deed::FINE).await;
    let http = bed.http(4).await;
    for n in 1..=12 {
        assert_eq!(http.execute(request(Method::POST)).await.unwrap().status(), 200);
        assert_eq!(fine.requests().len(), n);
    }
    assert!(!busy.requests().is_empty() && !later.requests().is_empty());
    bed.end().await;
}

#[tokio::test]
async fn an_instance_that_cannot_serve_is_left_for_another_and_its_answer_returned_if_there_is_none() {
    let bed = Bed::start().await;
    for status in [502, 503, 504] {
        let cannot = Server::start(&bed.zk, Deed::Answer(status, "x-why: ill\r\n", "sorry")).await;

        let http = bed.http(1).await;
        let response = http.execute(request(Method::POST)).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["x-why"]),
            (status, &"ill".parse().unwrap())
        );
        assert_eq!(response.text().await.unwrap(), "sorry");
        assert_eq!(cannot.requests().len(), 1, "what may have been served is not repeated");

        let thrice = patient().with_max_attempts(3, 1).unwrap();
        let http = Http::new(bed.client(1, thrice).await, plain());
        let response = http.execute(request(Method::GET)).await.unwrap();
        assert_eq!((response.status().as_u16(), cannot.requests().len()), (status, 4));
        assert_eq!(response.text().await.unwrap(), "sorry");

        let fine = Server::start(&bed.zk, Deed::FINE).await;
        let http = bed.http(2).await;
        for _ in 0..4 {
            assert_eq!(http.execute(request(Method::GET)).await.unwrap().status(), 200);
        }
        fine.leave().await;
        cannot.leave().await;
    }
    bed.end().await;
}

#[tokio::test]
async fn every_other_status_is_an_answer() {
    let bed = Bed::start().await;
    for status in [301, 404, 500] {
        let server = Server::start(&bed.zk, Deed::Answer(status, "", "")).await;
        let http = bed.http(1).await;
        for _ in 0..6 {
            assert_eq!(http.execute(request(Method::GET)).await.unwrap().status(), status);
        }
        assert_eq!(server.requests().len(), 6);
        server.leave().await;
    }
    bed.end().await;
}

#[tokio::test]
async fn what_a_redirect_led_to_is_an_answer_as_the_instance_has_served() {
    let bed = Bed::start().await;
    for status in [429, 503] {
        let elsewhere = Server::unregistered(Deed::Answer(status, "retry-after: 1\r\n", "")).await;
        let location = format!("location: http://{}/there\r\n", elsewhere.address).leak();
        let leads = Server::start(&bed.zk, Deed::Answer(303, location, "")).await;
        for method in [Method::POST, Method::GET] {
            let http = bed.http(1).await;
            assert_eq!(http.execute(request(method)).await.unwrap().status(), status);
            assert_eq!(http.client().status().in_service, 1);
        }
        assert_eq!((leads.requests().len(), elsewhere.requests().len()), (2, 2), "once each");
        leads.leave().await;
    }
    bed.end().await;
}

#[tokio::test]
async fn a_body_that_cannot_be_cloned_is_sent_once() {
    let bed = Bed::start().await;
    let resets = Server::start(&bed.zk, Deed::Reset).await;
    let streamed = || {
        let mut request = request(Method::PUT);
        *request.body_mut() = Some(Body::wrap(Full::new(bytes::Bytes::from("all of it"))));
        request
    };
    assert!(streamed().try_clone().is_none());
    let error = bed.http(1).await.execute(streamed()).await.unwrap_err();
    assert_eq!((error.reason(), error.count()), (GaveUp::Final, 1), "{error:?}");
    assert_eq!(resets.requests().len(), 1);
    resets.leave().await;

    let nobody = Server::nobody(&bed.zk).await;
    let error = bed.http(1).await.execute(streamed()).await.unwrap_err();
    assert_eq!((error.reason(), error.count()), (GaveUp::Final, 1), "{error:?}");
    nobody.leave().await.unwrap();

    let _server = Server::start(&bed.zk, Deed::FINE).await;
    let http = bed.http(1).await;
    assert_eq!(http.execute(streamed()).await.unwrap().status(), 200);
    bed.end().await;
}

#[tokio::test]
async fn an_instance_that_goes_finishes_what_is_in_flight_and_its_connections_close() {
    let bed = Bed::start().await;
    let go_on = Arc::new(Notify::new());
    let goes = Server::start(&bed.zk, Deed::Halves(Arc::clone(&go_on))).await;
    let web = bed.client(1, patient()).await;
    let http =
        Http::with_pools(web, |_| reqwest::Client::builder().no_proxy().pool_idle_timeout(None).build());

    let used = http.execute(request(Method::GET)).await.unwrap();
    let in_flight = http.execute(request(Method::GET)).await.unwrap();
    go_on.notify_one();
    assert_eq!(used.text().await.unwrap(), "halfhalf");
    assert_eq!((goes.connections(), goes.open()), (2, 2));

    goes.leave().await;
    eventually("the idle connection is closed", async || goes.open() == 1).await;
    let stays = Server::start(&bed.zk, Deed::FINE).await;
    for n in 1..=5 {
        assert_eq!(http.execute(request(Method::GET)).await.unwrap().text().await.unwrap(), "fine");
        assert_eq!(stays.requests().len(), n);
    }
    assert_eq!(goes.requests().len(), 2);

    go_on.notify_one();
    assert_eq!(in_flight.text().await.unwrap(), "halfhalf");
    eventually("the connection in use is closed", async || goes.open() == 0).await;
    assert!(stays.open() > 0);
    drop(http);
    eventually("all are closed", async || stays.open() == 0).await;
    bed.end().await;
}

#[tokio::test]
async fn a_pool_that_all_share_closes_an_idle_connection_in_its_time() {
    let bed = Bed::start().await;
    let goes = Server::start(&bed.zk, Deed::FINE).await;
    let short = Duration::from_millis(300);
    let reqwest = reqwest::Client::builder().no_proxy().pool_idle_timeout(short).build().unwrap();
    let http = Http::new(bed.client(1, patient()).await, reqwest);
    http.execute(request(Method::GET)).await.unwrap().text().await.unwrap();
    goes.leave().await;
    eventually("the idle connection is closed", async || goes.open() == 0).await;
    bed.end().await;
}
