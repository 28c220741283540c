//! The bench that a case runs on: clients of one server, and the transcript of what they receive.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;
use zk_wire::{
    ConnectRequest, ConnectResponse, ErrorCode, EventKind, Framed, OpCode, Reader, ReplyHeader, Request, xid,
};

use super::frame_stream::{FrameStream, Incoming};
use super::masks::Masks;
use super::request::{self, Sent};
use super::target::Target;

/// How long a reply may take before the transcript says that there was none.
const PATIENCE: Duration = Duration::from_secs(5);
/// The session timeout that a case's clients ask for: far longer than a case.
pub(crate) const TIMEOUT_MS: i32 = 9_000;

/// The first frame of a client that wants a new session.
pub(crate) fn new_session() -> ConnectRequest {
    ConnectRequest::new(TIMEOUT_MS)
}

/// A reply, as far as a script needs it.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The error code, or `None` if there was no reply.
    pub(crate) err: Option<i32>,
    pub(crate) zxid: i64,
    body: Vec<u8>,
}

impl Reply {
    const NONE: Self = Self { err: None, zxid: 0, body: Vec::new() };
}

struct Expected {
    xid: i32,
    op: OpCode,
    shown: bool,
}

struct Connection {
    stream: Option<FrameStream>,
    /// The requests whose replies are still to come.
    expected: Vec<Expected>,
    /// The last reply that a script may ask for.
    last: Reply,
    next_xid: i32,
    session: i64,
    password: Vec<u8>,
    /// Left out of the barriers, so that it sends nothing by itself.
    silent: bool,
}

struct Inner {
    masks: Masks,
    connections: Vec<Connection>,
    lines: Vec<String>,
}

/// One case on one server.
pub(crate) struct Bench<'t> {
    target: &'t Target,
    inner: RefCell<Inner>,
}

/// A client of a case, by the order of connecting: A, B, C.
#[derive(Clone, Copy)]
pub(crate) struct Client<'b> {
    bench: &'b Bench<'b>,
    id: usize,
}

impl fmt::Display for Client<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&letter(self.id))
    }
}

fn letter(id: usize) -> String {
    // A case has few clients; a random sequence may open more than there are letters.
    let first = char::from(b'A' + u8::try_from(id % 26).expect("less than 26"));
    if id < 26 { first.into() } else { format!("{first}{}", id / 26) }
}

impl<'t> Bench<'t> {
    /// Makes the root of the case and runs the script; returns the transcript.
    ///
    /// Whatever the script left behind is ended, so that it cannot disturb the next case.
    pub(crate) fn run(target: &'t Target, root: &str, script: impl FnOnce(&Bench<'_>)) -> Vec<String> {
        let base = make_root(target, root);
        let connections = Vec::new();
        let masks = Masks::new(root.to_owned(), base);
        let bench = Self { target, inner: RefCell::new(Inner { masks, connections, lines: Vec::new() }) };
        script(&bench);
        let Inner { connections, lines, .. } = bench.inner.into_inner();
        for mut connection in connections {
            if connection.session == 0 {
                continue;
            }
            connection.stream.take();
            end_session(target, connection.session, &connection.password);
        }
        lines
    }

    /// Returns the zxid that made the root of the case.
    pub(crate) fn base(&self) -> i64 {
        self.inner.borrow().masks.base
    }

    /// Returns the absolute path of a path of the case.
    pub(crate) fn place(&self, path: &str) -> String {
        request::place(&self.inner.borrow().masks.root, path)
    }

    /// Writes a line of the script's own into the transcript.
    pub(crate) fn note(&self, text: impl fmt::Display) {
        self.inner.borrow_mut().lines.push(format!("-- {text}"));
    }

    /// Connects with a new session.
    pub(crate) fn open(&self) -> Client<'_> {
        self.connect(&new_session())
    }

    /// Connects with a first frame of the script's choice.
    pub(crate) fn connect(&self, request: &ConnectRequest) -> Client<'_> {
        let client = self.connect_raw();
        let password = match &request.password {
            None => "null".into(),
            Some(password) => format!("of {}", password.len()),
        };
        let line = {
            let masks = &mut self.inner.borrow_mut().masks;
            format!(
                "connect protocol={} seen={} timeout={} session={} password={password} read_only={:?}",
                request.protocol_version,
                masks.zxid(request.last_zxid_seen),
                request.timeout_ms,
                masks.session(request.session_id),
                request.read_only,
            )
        };
        client.log_sent(line);
        client.with(|connection| connection.stream().send(&request.encode()));
        client.read_connect_response(request.session_id);
        self.sync_all();
        client
    }

    /// Connects without a word.
    pub(crate) fn connect_raw(&self) -> Client<'_> {
        let connections = &mut self.inner.borrow_mut().connections;
        connections.push(Connection {
            stream: Some(FrameStream::open(self.target.addr())),
            expected: Vec::new(),
            last: Reply::NONE,
            next_xid: 1,
            session: 0,
            password: Vec::new(),
            silent: true,
        });
        Client { bench: self, id: connections.len() - 1 }
    }

    fn clients(&self) -> impl Iterator<Item = Client<'_>> {
        let count = self.inner.borrow().connections.len();
        (0..count).map(|id| Client { bench: self, id })
    }

    /// Collects what is on its way to every client: the reply to a ping comes after all that came before it.
    pub(crate) fn sync_all(&self) {
        self.clients().for_each(Client::barrier);
    }
}

impl Connection {
    fn stream(&mut self) -> &mut FrameStream {
        self.stream.as_mut().expect("the script uses open connections only")
    }
}

impl Client<'_> {
    fn with<T>(self, act: impl FnOnce(&mut Connection) -> T) -> T {
        act(&mut self.bench.inner.borrow_mut().connections[self.id])
    }

    fn log_sent(self, text: impl fmt::Display) {
        let line = format!("{self}> {text}");
        self.bench.inner.borrow_mut().lines.push(line);
    }

    fn log_received(self, text: impl fmt::Display) {
        let line = format!("{self}<   {text}");
        self.bench.inner.borrow_mut().lines.push(line);
    }

    /// Returns the session and the password that the server gave.
    pub(crate) fn session(self) -> (i64, Vec<u8>) {
        self.with(|connection| (connection.session, connection.password.clone()))
    }

    pub(crate) fn is_open(self) -> bool {
        self.with(|connection| connection.stream.is_some())
    }

    /// Asks and waits for the reply, then collects what everybody receives on account of it.
    pub(crate) fn call(self, sent: impl Into<Sent>) -> Reply {
        let sent = sent.into();
        let closing = sent.op_code() == OpCode::CloseSession;
        self.post(sent);
        self.await_replies();
        // Behind an op that the server does not know it closes the connection, sooner or later.
        let unknown = self.with(|connection| {
            (connection.last.err, connection.last.zxid) == (Some(ErrorCode::Unimplemented.code()), -1)
        });
        if closing || unknown {
            self.read_to_close();
        }
        self.bench.sync_all();
        self.with(|connection| connection.last.clone())
    }

    /// Asks what may stay without a reply: nothing is awaited that does not come before the reply to a ping.
    pub(crate) fn call_in_vain(self, xid: i32, request: Request) {
        self.post_as(xid, request);
        self.ping();
        let deadline = Instant::now() + PATIENCE;
        while self.with(|connection| {
            connection.stream.is_some() && connection.expected.iter().any(|expected| !expected.shown)
        }) && self.read(deadline)
        {}
        if self.with(|connection| !std::mem::take(&mut connection.expected).is_empty()) {
            self.log_received("no reply");
        }
        self.bench.sync_all();
    }

    /// Asks without waiting.
    pub(crate) fn post(self, sent: impl Into<Sent>) {
        let sent = sent.into();
        let xid = xid::reserved(sent.op_code()).unwrap_or_else(|| {
            self.with(|connection| {
                connection.next_xid += 1;
                connection.next_xid - 1
            })
        });
        self.post_as(xid, sent);
    }

    /// Asks with this xid, without waiting.
    pub(crate) fn post_as(self, xid: i32, sent: impl Into<Sent>) {
        let sent = sent.into();
        self.log_sent(format_args!("{sent}"));
        let frame = sent.frame(xid, &self.bench.place("/"));
        self.with(|connection| connection.last = Reply::NONE);
        if !self.is_open() {
            return self.log_received("is closed already");
        }
        self.with(|connection| {
            connection.expected.push(Expected { xid, op: sent.op_code(), shown: true });
            connection.stream().send(&frame);
        });
    }

    /// Sends bytes as they are, and collects what comes of it.
    pub(crate) fn send_bytes(self, what: &str, bytes: &[u8]) {
        self.log_sent(format_args!("raw: {what}"));
        if !self.is_open() {
            return self.log_received("is closed already");
        }
        self.with(|connection| connection.stream().send(bytes));
        self.bench.sync_all();
    }

    /// Waits for the replies to all that was asked, then collects what everybody receives.
    pub(crate) fn collect(self) {
        self.await_replies();
        self.bench.sync_all();
    }

    /// Sends no more by itself, and is not pinged: its session can run out.
    pub(crate) fn fall_silent(self) {
        self.log_sent("falls silent");
        self.with(|connection| connection.silent = true);
    }

    /// Waits until the server closes the connection, and collects what everybody receives.
    pub(crate) fn await_close(self) {
        self.read_to_close();
        self.bench.sync_all();
    }

    /// Waits until this client has had an event whose line contains `what`, or ends with it if a `$` follows; then collects
    /// what everybody receives.
    ///
    /// An event that has come earlier in the case counts: what the server does by itself may be quicker than the script.
    pub(crate) fn await_event_of(self, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        let own = format!("{self}<   event ");
        let fits = |line: &String| match what.strip_suffix('$') {
            Some(end) => line.starts_with(&own) && line.ends_with(end),
            None => line.starts_with(&own) && line.contains(what),
        };
        while self.is_open() && !self.bench.inner.borrow().lines.iter().any(fits) {
            if !self.read(deadline) {
                self.log_received("no event");
                break;
            }
        }
        self.bench.sync_all();
    }

    /// Waits for any event, and collects what everybody receives.
    pub(crate) fn await_event(self) {
        self.await_event_of("");
    }

    /// Ends the session on the server, by force.
    pub(crate) fn expire(self) {
        self.log_sent("is expired");
        let session = self.with(|connection| std::mem::take(&mut connection.session));
        if !self.bench.target.expire(session) {
            self.log_received("its session was gone already");
        }
        if self.is_open() {
            self.read_to_close();
        }
        self.bench.sync_all();
    }

    /// Drops the connection, and returns when the server has noticed; the session stays.
    ///
    /// Apache that notices later than the session attaches again forgets the new connection with the old one: it then no
    /// longer closes it when the session ends.
    pub(crate) fn cut(self) {
        self.log_sent("drops its connection");
        if !self.is_open() {
            return self.log_received("is closed already");
        }
        self.with(|connection| {
            let mut stream = connection.stream.take().expect("it is open");
            stream.finish();
            let deadline = Instant::now() + PATIENCE;
            while matches!(stream.receive(deadline), Incoming::Frame(_)) {}
            connection.expected.clear();
        });
    }

    /// Ends the sending half of the connection, and waits until the server closes the other.
    pub(crate) fn finish(self) {
        self.log_sent("ends its sending half");
        if !self.is_open() {
            return self.log_received("is closed already");
        }
        self.with(|connection| connection.stream().finish());
        self.read_to_close();
        self.bench.sync_all();
    }

    /// Connects again to the same session, having seen `seen`.
    pub(crate) fn reattach(self, seen: i64) -> Self {
        let (session, password) = self.session();
        self.bench.connect(&ConnectRequest {
            last_zxid_seen: seen,
            session_id: session,
            password: Some(password),
            ..new_session()
        })
    }

    fn await_replies(self) {
        let deadline = Instant::now() + PATIENCE;
        while self.with(|connection| connection.stream.is_some() && !connection.expected.is_empty()) {
            if !self.read(deadline) {
                self.log_received("no reply");
                self.with(|connection| connection.expected.clear());
            }
        }
    }

    pub(crate) fn read_to_close(self) {
        let deadline = Instant::now() + PATIENCE;
        while self.is_open() {
            if !self.read(deadline) {
                self.log_received("not closed");
                return;
            }
        }
    }

    fn barrier(self) {
        let asks = self.with(|connection| connection.stream.is_some() && !connection.silent);
        if !asks {
            return;
        }
        self.ping();
        self.await_replies();
    }

    fn ping(self) {
        if !self.is_open() {
            return;
        }
        let ping = Framed { xid: xid::PING, request: Request::Ping }.encode();
        self.with(|connection| {
            connection.stream().send(&ping);
            connection.expected.push(Expected { xid: xid::PING, op: OpCode::Ping, shown: false });
        });
    }

    /// Reads one frame or the close into the transcript; false if neither came.
    fn read(self, deadline: Instant) -> bool {
        match self.with(|connection| connection.stream().receive(deadline)) {
            Incoming::Silence => return false,
            Incoming::Closed => {
                self.log_received("closed");
                self.with(|connection| {
                    connection.stream = None;
                    connection.expected.clear();
                });
            }
            Incoming::Frame(frame) => self.take(&frame),
        }
        true
    }

    fn take(self, frame: &[u8]) {
        let mut input = Reader::new(frame);
        let Ok(ReplyHeader { xid, zxid, code }) = ReplyHeader::read(&mut input) else {
            return self.log_received(format_args!("a frame of {} bytes: {frame:02x?}", frame.len()));
        };
        let err = code.code();
        if xid == xid::EVENT {
            return self.take_event(zxid, err, input);
        }
        let expected = self.with(|connection| {
            let place = connection.expected.iter().position(|expected| expected.xid == xid)?;
            Some((place, connection.expected.remove(place)))
        });
        let inner = &mut *self.bench.inner.borrow_mut();
        let line = match &expected {
            None => format!("a reply to nobody: xid={xid} err={err}"),
            Some((_, expected)) if !expected.shown && err == 0 => String::new(),
            Some((place, expected)) => {
                let body = if err == 0 {
                    inner.masks.body(expected.op, input.rest())
                } else {
                    inner.masks.body(OpCode::Other(0), input.rest())
                };
                let early = if *place == 0 { "" } else { "OUT OF ORDER " };
                format!("{early}xid={xid} err={err} {} {body}", inner.masks.zxid(zxid)).trim_end().to_owned()
            }
        };
        if !line.is_empty() {
            inner.lines.push(format!("{self}<   {line}"));
        }
        if expected.is_some_and(|(_, expected)| expected.shown) {
            inner.connections[self.id].last = Reply { err: Some(err), zxid, body: input.rest().to_vec() };
        }
    }

    fn take_event(self, zxid: i64, err: i32, mut input: Reader<'_>) {
        let (Ok(kind), Ok(state), Ok(path)) = (input.int(), input.int(), input.string()) else {
            return self.log_received(format_args!("event cut short: {:02x?}", input.rest()));
        };
        let kind = EventKind::from(kind);
        let path = self.bench.inner.borrow().masks.path(&path);
        let unusual = if (zxid, err, state, input.rest().len()) == (-1, 0, 3, 0) {
            String::new()
        } else {
            format!(" zxid={zxid} err={err} state={state} trailing={}", input.rest().len())
        };
        self.log_received(format_args!("event {kind} {path}{unusual}"));
    }

    /// Takes the reply to the first frame.
    pub(crate) fn read_connect_response(self, asked: i64) {
        let deadline = Instant::now() + PATIENCE;
        match self.with(|connection| connection.stream().receive(deadline)) {
            Incoming::Silence => self.log_received("no reply"),
            Incoming::Closed => {
                self.log_received("closed");
                self.with(|connection| connection.stream = None);
            }
            Incoming::Frame(frame) => {
                let mut input = Reader::new(&frame);
                let (Ok(protocol), Ok(timeout), Ok(session), Ok(password)) =
                    (input.int(), input.int(), input.long(), input.buffer())
                else {
                    return self.log_received(format_args!("connected, cut short: {frame:02x?}"));
                };
                let password = password.unwrap_or_default().to_vec();
                let zero = if password.iter().all(|&byte| byte == 0) { " of zeros" } else { "" };
                let name = self.bench.inner.borrow_mut().masks.session(session);
                self.log_received(format_args!(
                    "connected protocol={protocol} timeout={timeout} session={name} password={}{zero} rest={:02x?}",
                    password.len(),
                    input.rest()
                ));
                if session == 0 {
                    return self.read_to_close();
                }
                let inner = &mut *self.bench.inner.borrow_mut();
                if asked != 0 {
                    // The session is this connection's from now on.
                    let earlier = inner.connections.iter_mut().filter(|other| other.session == session);
                    earlier.for_each(|other| other.session = 0);
                }
                let connection = &mut inner.connections[self.id];
                (connection.session, connection.password, connection.silent) = (session, password, false);
            }
        }
    }
}

/// The verbs of a script.
impl Client<'_> {
    pub(crate) fn create(self, path: &str, data: &str, flags: i32) -> Reply {
        self.call(request::create(path, data, flags))
    }

    pub(crate) fn delete(self, path: &str) -> Reply {
        self.call(request::delete(path, -1))
    }

    pub(crate) fn set(self, path: &str, data: &str) -> Reply {
        self.call(request::set_data(path, data, -1))
    }

    pub(crate) fn exists(self, path: &str) -> Reply {
        self.call(request::read(OpCode::Exists, path, false))
    }

    pub(crate) fn get(self, path: &str) -> Reply {
        self.call(request::read(OpCode::GetData, path, false))
    }

    pub(crate) fn children(self, path: &str) -> Reply {
        self.call(request::read(OpCode::GetChildren2, path, false))
    }

    pub(crate) fn exists_watch(self, path: &str) -> Reply {
        self.call(request::read(OpCode::Exists, path, true))
    }

    pub(crate) fn get_watch(self, path: &str) -> Reply {
        self.call(request::read(OpCode::GetData, path, true))
    }

    pub(crate) fn children_watch(self, path: &str) -> Reply {
        self.call(request::read(OpCode::GetChildren, path, true))
    }

    pub(crate) fn persistent(self, path: &str) -> Reply {
        self.call(request::of_kind(OpCode::AddWatch, path, 0))
    }

    pub(crate) fn recursive(self, path: &str) -> Reply {
        self.call(request::of_kind(OpCode::AddWatch, path, 1))
    }

    pub(crate) fn auth(self, scheme: &str, data: &str) -> Reply {
        self.call(request::auth(scheme, data))
    }

    pub(crate) fn close(self) {
        self.call(request::bare(OpCode::CloseSession));
        self.with(|connection| connection.session = 0);
    }
}

impl Reply {
    /// Returns the path in the body of a create.
    pub(crate) fn path(&self) -> String {
        Reader::new(&self.body).string().unwrap_or_default()
    }
}

/// Creates the root of a case by a connection of its own, and returns the zxid that did it.
fn make_root(target: &Target, root: &str) -> i64 {
    let mut helper = Helper::attach(target, &new_session()).expect("a new session is granted");
    let zxid = helper.request(request::create(&format!("!{root}"), "", 0)).expect("the root is created");
    helper.request(Request::CloseSession);
    zxid
}

/// Ends a session that a case left behind, if it is still there.
fn end_session(target: &Target, session: i64, password: &[u8]) {
    let request = ConnectRequest { session_id: session, password: Some(password.to_vec()), ..new_session() };
    if let Some(mut helper) = Helper::attach(target, &request) {
        helper.request(Request::CloseSession);
    }
}

/// A connection for what is no part of a transcript.
struct Helper(FrameStream);

impl Helper {
    fn attach(target: &Target, request: &ConnectRequest) -> Option<Self> {
        let mut stream = FrameStream::open(target.addr());
        stream.send(&request.encode());
        let Incoming::Frame(frame) = stream.receive(Instant::now() + PATIENCE) else { return None };
        ConnectResponse::decode(&frame).is_ok_and(|response| response.session_id != 0).then_some(Self(stream))
    }

    /// Returns the zxid of a good reply.
    fn request(&mut self, request: Request) -> Option<i64> {
        self.0.send(&Sent::from(request).frame(1, ""));
        loop {
            let Incoming::Frame(frame) = self.0.receive(Instant::now() + PATIENCE) else { return None };
            let header = ReplyHeader::read(&mut Reader::new(&frame)).ok()?;
            if header.xid != xid::EVENT {
                return (header.code == ErrorCode::Ok).then_some(header.zxid);
            }
        }
    }
}
