use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::command::Incoming;
use super::outgoing::Outgoing;
use crate::report::{ConnectionReport, Report};
use zk_wire::{ConnectRequest, Framed};

/// The engine's side of one connection: the requests that came in, and the queue of replies.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) outgoing: Arc<Outgoing>,
    /// Requests and others that wait to be carried out, in order.
    inbox: VecDeque<Item>,
    /// Nothing is done for it, and nothing goes out, by a fault.
    pub(super) stalled: bool,
    /// The machine has forgotten it; it closes when all is sent.
    pub(super) closing: bool,
    pub(super) report: ConnectionReport,
}

/// One thing that came in.
#[derive(Debug)]
pub(super) enum Item {
    Connect(ConnectRequest),
    /// The permit is with the last of its batch.
    Request(Framed, Option<OwnedSemaphorePermit>),
    Report(oneshot::Sender<Report>),
    Gone,
}

impl Mailbox {
    pub(super) fn new(peer: SocketAddr, now: i64, outgoing: Arc<Outgoing>) -> Self {
        let report = ConnectionReport {
            peer,
            queued: 0,
            received: 0,
            sent: 0,
            established_ms: now,
            session: 0,
            timeout_ms: 0,
            last_op: "NA",
            last_xid: None,
            last_zxid: -1,
            last_response_ms: 0,
        };
        Self { outgoing, inbox: VecDeque::new(), stalled: false, closing: false, report }
    }

    /// Takes in what came, and returns how many frames that are.
    pub(super) fn take_in(&mut self, incoming: Incoming) -> u64 {
        let frames = match incoming {
            Incoming::Connect(request) => {
                // A refused connection is not attached to the session, but belongs to its client.
                self.report.session = request.session_id;
                self.inbox.push_back(Item::Connect(request));
                1
            }
            Incoming::Requests(batch, permit) => {
                let frames = batch.len() as u64;
                self.inbox.extend(batch.into_iter().map(|framed| Item::Request(framed, None)));
                if let Some(Item::Request(_, last)) = self.inbox.back_mut() {
                    *last = Some(permit);
                }
                frames
            }
            Incoming::Report(report_tx) => {
                self.inbox.push_back(Item::Report(report_tx));
                1
            }
            Incoming::Gone => {
                self.inbox.push_back(Item::Gone);
                0
            }
        };
        self.report.received += frames;
        frames
    }

    /// Returns what is to be done next, if anything may be done now.
    pub(super) fn next(&mut self) -> Option<Item> {
        if self.closing {
            // Nothing is done for it any more but to forget it.
            self.inbox.retain(|item| matches!(item, Item::Gone));
        } else if self.stalled || self.outgoing.is_full() && !self.is_gone() {
            return None;
        }
        self.inbox.pop_front()
    }

    pub(super) fn queued(&self) -> usize {
        self.inbox.len()
    }

    /// Whether its client has closed the connection, so that no reader is left for what is queued.
    fn is_gone(&self) -> bool {
        matches!(self.inbox.back(), Some(Item::Gone))
    }
}
