//! The first hour with the libraries: what one writes without having read much, and what one reads when nothing works yet.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use balance::{Balancer, BalancerConfig, CallConfig, Caller, Strategy};
use discovery::{Change, Discovery, DiscoveryConfig, NotReady};
use futures_util::StreamExt;
use instance::{Endpoint, Instance, Plain};
use registry::{NotRegistered, Registrar, RegistrarConfig, RegistrationStatus};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use zk_core::{NotConnected, Zk, ZkConfig, ZkHost, ZnodePath};

const SOON: Duration = Duration::from_secs(20);
const SERVICE: &str = "/services/web";

/// A service that answers each connection, as long as the test lasts.
async fn listen() -> Result<SocketAddr, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"hello").await;
        }
    });
    Ok(address)
}

#[tokio::test]
async fn a_service_registers_and_a_client_calls_it() -> Result<(), Box<dyn Error>> {
    let server = zk_embedded::Server::start().await?;
    let zk = Zk::start(server.connect_string().parse()?)?;
    zk.connected_within(SOON).await?;

    // A service.
    let address = listen().await?;
    let registrar = Registrar::new(&zk, SERVICE.parse()?);
    let instance = Instance::new(address.try_into()?).with_tags([("zone", "a"), ("version", "2")]);
    let registration = registrar.register_bound(instance.clone(), address)?;
    registration.registered_within(SOON).await?;
    registration.check()?;
    let heavy = instance.with_weight(50);
    registration.update(&heavy)?;
    registration.updated_within(SOON).await?;
    let status = registration.status_stream().next().await.ok_or("a status")?;
    assert!(status.to_string().starts_with("registered, session 0x"), "{status}");

    // A client.
    let discovery = Discovery::start(&zk, SERVICE.parse()?);
    let snapshot = discovery.ready(1, SOON).await?;
    let mut known = BTreeMap::new();
    for instance in &*snapshot {
        known.insert(instance.endpoint().clone(), ());
    }
    let balancer = Balancer::<Endpoint, ()>::new(BalancerConfig::new(Strategy::RoundRobin));
    balancer.update(&known);
    let caller = Caller::new(balancer.reader(), CallConfig::default());
    let answered = caller
        .call(|target| async move {
            // The block owns what it borrows from.
            let pair: (String, u16) = target.key().into();
            let mut stream = TcpStream::connect(pair).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        })
        .await?;
    assert_eq!((answered.value.as_str(), answered.key()), ("hello", &Endpoint::try_from(address)?));
    for status in balancer.status() {
        assert_eq!(status.to_string(), format!("{address}: in service, weight 100, 0 calls in flight"));
    }

    // What changes, as streams.
    let mut changes = discovery.changes();
    let Some(Change::Reset(first)) = StreamExt::next(&mut changes).await else { return Err("a set".into()) };
    assert_eq!(first.endpoints().collect::<Vec<_>>(), [&address.try_into()?]);
    registration.update(heavy.with_draining(true))?;
    registration.deregister(SOON).await?;
    let left: Vec<_> = changes.take(1).map(|change| change.to_string()).collect().await;
    assert_eq!(left, [format!("- {address}")]);
    let views = discovery.view_stream().filter(|view| {
        let is_empty = view.snapshot.as_ref().is_some_and(|snapshot| snapshot.is_empty());
        async move { is_empty }
    });
    let empty = std::pin::pin!(views).next().await.ok_or("a view")?;
    assert_eq!(empty.to_string(), "0 instances, live");

    // Everything ends: so do the streams.
    let (views, statuses) = (discovery.view_stream(), registration.status_stream());
    discovery.shutdown().await;
    assert!(views.collect::<Vec<_>>().await.last().is_some_and(|view| !view.is_live()));
    assert_eq!(statuses.collect::<Vec<_>>().await, [RegistrationStatus::Deregistered]);
    zk.close(SOON).await?;
    Ok(())
}

#[tokio::test]
async fn text_is_taken_where_a_path_or_a_host_is_wanted() -> Result<(), Box<dyn Error>> {
    let hosts: ZkConfig = "zk1:2181,zk2/apps".parse()?;
    assert_eq!(ZkConfig::try_from("zk1:2181,zk2/apps")?, hosts);
    assert_eq!(hosts.hosts(), ["zk1".parse::<ZkHost>()?, ZkHost::try_from("zk2:2181")?]);
    let path = ZnodePath::try_from(SERVICE)?;
    assert_eq!(RegistrarConfig::try_from(SERVICE)?, RegistrarConfig::new(path.clone()));
    assert_eq!(SERVICE.parse::<RegistrarConfig>()?, RegistrarConfig::from(path.clone()));
    assert_eq!(DiscoveryConfig::try_from(SERVICE.to_owned())?, DiscoveryConfig::new(path.clone()));
    assert_eq!(SERVICE.parse::<DiscoveryConfig>()?, path.into());
    assert!("services/web".parse::<DiscoveryConfig>().is_err());
    assert_eq!(Endpoint::try_from(("10.0.0.7", 80))?, "10.0.0.7:80".parse()?);

    // One format for all.
    let format = Arc::new(Plain);
    let zk = Zk::start("127.0.0.1:1".parse()?)?;
    let _registrar = Registrar::with_format(&zk, SERVICE.parse()?, format.clone());
    let _discovery = Discovery::start_with_format(&zk, SERVICE.parse()?, format);
    Ok(())
}

/// What the three who wait are told on a link to such hosts, once it knows why there is no connection.
async fn told(hosts: &str) -> [String; 3] {
    let config = hosts.parse::<ZkConfig>().unwrap().with_session_timeout(Duration::from_secs(2)).unwrap();
    let zk = Zk::start(config).unwrap();
    let mut states = zk.states();
    let known = states.wait_for(|state| state.trouble.is_some());
    tokio::time::timeout(SOON, known).await.expect("a cause in time").unwrap();
    let registrar = Registrar::new(&zk, SERVICE.parse().unwrap());
    let registration = registrar.register(Instance::new("10.0.0.7:80".parse().unwrap())).unwrap();
    let not_registered: NotRegistered = registration.registered_within(Duration::ZERO).await.unwrap_err();
    assert!(not_registered.link.trouble.is_some() && !not_registered.status.is_registered());
    assert!(registration.check().unwrap_err().link.trouble.is_some());
    assert!(registration.updated_within(Duration::ZERO).await.is_err());
    let discovery = Discovery::start(&zk, SERVICE.parse().unwrap());
    let not_ready: NotReady = discovery.ready(1, Duration::ZERO).await.unwrap_err();
    let not_connected: NotConnected = zk.connected_within(Duration::ZERO).await.unwrap_err();
    zk.close(Duration::ZERO).await.unwrap();
    [not_registered.to_string(), not_ready.to_string(), not_connected.to_string()]
}

#[tokio::test]
async fn who_waits_is_told_that_nobody_listens() {
    // Bound, so that nobody else gets the port, and not listening.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = socket.local_addr().unwrap();
    let refused = TcpStream::connect(nobody).await.unwrap_err().to_string();
    for text in told(&nobody.to_string()).await {
        assert!(text.contains(&format!("{nobody}: {refused}")), "{text}");
    }
}

#[tokio::test]
async fn who_waits_is_told_which_name_is_unknown() {
    for text in told("nowhere.invalid:2181").await {
        assert!(text.contains("nowhere.invalid:2181: "), "{text}");
    }
}

#[tokio::test]
async fn who_waits_is_told_which_server_swallows_everything() {
    // The system accepts connections for it, and it reads none of them.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap();
    for text in told(&port.to_string()).await {
        assert!(text.contains(&format!("{port} accepted the connection but did not")), "{text}");
    }
}

#[tokio::test]
async fn who_waits_is_told_at_once_that_nothing_is_known_yet_and_later_that_the_link_is_closed() {
    let zk = Zk::start("127.0.0.1:1".parse().unwrap()).unwrap();
    let early = zk.connected_within(Duration::ZERO).await.unwrap_err().to_string();
    assert!(early.ends_with("which has neither answered nor refused yet"), "{early}");
    zk.close(Duration::ZERO).await.unwrap();
    let late = zk.connected_within(SOON).await.unwrap_err();
    assert!(late.state.is_closed() && late.to_string().ends_with("closed"), "{late}");
}

#[tokio::test]
async fn who_waits_is_told_who_has_the_name_and_how_many_are_there() -> Result<(), Box<dyn Error>> {
    let server = zk_embedded::Server::start().await?;
    let zk = Zk::start(server.connect_string().parse()?)?;
    let register = |registrar: &Registrar| registrar.register(Instance::new("10.0.0.7:80".parse().unwrap()));
    let (first, second) = (Registrar::new(&zk, SERVICE.parse()?), Registrar::new(&zk, SERVICE.parse()?));
    let has_it = register(&first)?;
    has_it.registered_within(SOON).await?;
    let wants_it = register(&second)?;
    let mut statuses = wants_it.statuses();
    let conflict = statuses.wait_for(|status| matches!(status, RegistrationStatus::Conflict(_)));
    tokio::time::timeout(SOON, conflict).await??;
    let error = wants_it.registered_within(Duration::ZERO).await.unwrap_err();
    assert!(error.link.is_connected() && error.to_string().contains(": conflict with session 0x"), "{error}");
    assert!(error.to_string().contains(&first.owner().incarnation().to_string()), "{error}");

    let discovery = Discovery::start(&zk, SERVICE.parse()?);
    discovery.ready(1, SOON).await?;
    let error = discovery.ready(2, Duration::ZERO).await.unwrap_err();
    assert_eq!(error.to_string(), "1 instances listed within 0ns; wanted at least 2");
    zk.close(SOON).await?;
    Ok(())
}
