//! The endpoint, as a collector uses it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::time::Duration;

use daytime_metrics::{Endpoint, StartError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

async fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    timeout(Duration::from_secs(10), stream.read_to_string(&mut answer)).await.expect("in time").unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_gets_the_counted_metrics_in_prometheus_text() {
    let endpoint = Endpoint::start(LOCAL).await.unwrap();
    metrics::describe_counter!("teas_total", "Cups of tea.");
    metrics::counter!("teas_total", "kind" => "green").increment(2);
    metrics::histogram!("brewing_seconds").record(0.3);
    let answer = ask(endpoint.local(), b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Content-Type: text/plain; version=0.0.4"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    for line in [
        "# HELP teas_total Cups of tea.\n",
        "# TYPE teas_total counter\n",
        "teas_total{kind=\"green\"} 2\n",
        "# TYPE brewing_seconds histogram\n",
        "brewing_seconds_bucket{le=\"0.25\"} 0\n",
        "brewing_seconds_bucket{le=\"0.5\"} 1\n",
        "brewing_seconds_sum 0.3\n",
    ] {
        assert!(body.contains(line), "no {line:?} in\n{body}");
    }
    let head = ask(endpoint.local(), b"HEAD /metrics HTTP/1.1\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(ask(endpoint.local(), b"GET / HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_callers_and_long_requests_do_not_exhaust_the_endpoint() {
    let endpoint = Endpoint::start(LOCAL).await.unwrap();
    let flood = ask(endpoint.local(), &[b'x'; 9000]).await;
    assert!(flood.starts_with("HTTP/1.1 400 "), "{flood}");
    // As many as are served at a time: the deadline closes them, and later scrapes are answered.
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(endpoint.local()).await.unwrap());
    }
    let served = async {
        loop {
            let mut stream = TcpStream::connect(endpoint.local()).await.unwrap();
            let mut answer = String::new();
            if stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").await.is_ok()
                && stream.read_to_string(&mut answer).await.is_ok()
                && answer.starts_with("HTTP/1.1 200 ")
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(20), served).await.expect("the silent connections are closed");
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_in_use_is_an_error_that_names_it_and_drop_frees_the_address() {
    let taken = TcpListener::bind(LOCAL).await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = Endpoint::start(address).await.unwrap_err();
    assert!(matches!(&error, StartError::Listen { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("cannot listen on {address} for metrics"));
    drop(taken);
    let endpoint = Endpoint::start(address).await.unwrap();
    drop(endpoint);
    let freed = async { while TcpStream::connect(address).await.is_ok() {} };
    timeout(Duration::from_secs(10), freed).await.expect("the endpoint stops listening");
}
