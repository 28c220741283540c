//! A client that does again what was recorded.

use std::collections::BTreeMap;
use std::time::Duration;

use test_zookeeper::Server;
use tokio::time::timeout;
use zk_testing::SOON;
use zk_testing::raw::Client;
use zk_wire::{Request, WatchEvent};

use crate::recording::{Frame, Outcome, named, says};

/// A session in which recorded requests are sent again.
pub(crate) struct Replay {
    client: Client,
    /// Replies that the recording has not come to yet.
    replies: BTreeMap<i32, Outcome>,
}

impl Replay {
    pub(crate) async fn start(server: &Server) -> Self {
        let client = Client::connect(server.addr(), Duration::from_secs(4)).await.unwrap();
        Self { client, replies: BTreeMap::new() }
    }

    /// Sends the requests of the frames one by one, and checks that each reply and each event is as it was.
    pub(crate) async fn run(&mut self, frames: &[Frame]) {
        for frame in frames {
            match frame {
                Frame::Request(xid, request) => self.send(*xid, request.clone()).await,
                Frame::Reply(xid, _) => {
                    let reply = self.replies.remove(xid).unwrap();
                    assert_eq!(says(&reply), frame.reads(), "the reply to {xid}");
                }
                Frame::Event(event) => assert_eq!(self.event().await, *event),
            }
        }
    }

    /// The same, with other events in the place of the recorded ones, all of which come first.
    pub(crate) async fn run_with(&mut self, events: &[WatchEvent], frames: &[Frame]) {
        for event in events {
            assert_eq!(self.event().await, *event);
        }
        let others: Vec<_> =
            frames.iter().filter(|frame| !matches!(frame, Frame::Event(_))).cloned().collect();
        self.run(&others).await;
    }

    /// Sends the creations among the frames alone, whatever is there already.
    pub(crate) async fn create(&mut self, frames: &[Frame]) {
        for frame in frames {
            if let Frame::Request(xid, request @ Request::Create { .. }) = frame {
                self.send(*xid, request.clone()).await;
            }
        }
    }

    async fn send(&mut self, xid: i32, request: Request) {
        let outcome = self.client.request(request).await.map_err(|error| named(&error));
        self.replies.insert(xid, outcome);
    }

    async fn event(&self) -> WatchEvent {
        timeout(SOON, self.client.next_event()).await.expect("an event in time").expect("a connection")
    }
}
