use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::timeout;
use zk_testing::raw::{Client, CreateMode};
use zk_testing::{SESSION, Server, ServerError, StartError, eventually};

use crate::{connect, process_exists};

#[tokio::test]
async fn kill_and_restart_keep_data_and_sessions_and_wipe_loses_them() {
    let Some(_) = zk_testing::require() else { return };
    let mut server = Server::start().await.unwrap();
    let (addr, first_pid) = (server.addr(), server.pid().unwrap());
    let client = connect(addr).await;
    client.create("/kept", b"x", CreateMode::Persistent).await.unwrap();
    client.create("/mine", b"", CreateMode::Ephemeral).await.unwrap();
    let (id, password) = (client.session_id(), *client.password());

    server.kill().await;
    assert!(!server.is_running() && server.pid().is_none());
    assert!(!process_exists(first_pid));
    client.closed().await;
    server.start_again().await.unwrap();
    assert_eq!(server.addr(), addr);
    assert_ne!(server.pid(), Some(first_pid));

    let client = Client::connect_with(addr, 2 * SESSION, id, &password).await.unwrap();
    assert_eq!(client.get("/kept").await.unwrap().0, b"x");
    assert_eq!(client.exists("/mine").await.unwrap().unwrap().ephemeral_owner, id);

    server.restart().await.unwrap();
    assert!(connect(addr).await.exists("/kept").await.unwrap().is_some());

    assert!(matches!(server.wipe(), Err(ServerError::Running(_))));
    server.stop().await;
    server.wipe().unwrap();
    server.start_again().await.unwrap();
    assert!(connect(addr).await.exists("/kept").await.unwrap().is_none());
}

#[tokio::test]
async fn a_paused_server_sends_no_reply_until_it_is_resumed() {
    let Some(_) = zk_testing::require() else { return };
    let mut server = Server::start().await.unwrap();
    let client = connect(server.addr()).await;
    server.pause().await.unwrap();
    assert!(server.is_running());
    let answer = client.exists("/");
    tokio::pin!(answer);
    assert!(timeout(Duration::from_millis(300), &mut answer).await.is_err());
    server.resume().unwrap();
    assert!(answer.await.unwrap().is_some());

    server.pause().await.unwrap();
    let pid = server.pid().unwrap();
    server.stop().await;
    assert!(!process_exists(pid), "also a paused server stops");
    assert!(matches!(server.pause().await, Err(ServerError::NotRunning(_))));
    assert!(matches!(server.resume(), Err(ServerError::NotRunning(_))));
}

#[tokio::test]
async fn dropping_kills_also_a_paused_server_and_deletes_its_folder() {
    let Some(_) = zk_testing::require() else { return };
    let server = Server::start().await.unwrap();
    let (pid, log) = (server.pid().unwrap(), server.log_file());
    assert!(log.exists() && process_exists(pid));
    server.pause().await.unwrap();
    drop(server);
    assert!(!process_exists(pid));
    assert!(!log.parent().unwrap().exists());
}

#[tokio::test]
async fn settings_reach_the_server() {
    let Some(_) = zk_testing::require() else { return };
    let server = Server::builder()
        .tick(Duration::from_millis(100))
        .config("maxSessionTimeout", 3_000)
        .java_property("jute.maxbuffer", 4_096)
        .force_sync(true)
        .start()
        .await
        .unwrap();
    let conf = server.four_letter_word("conf").await.unwrap();
    assert!(conf.contains("tickTime=100") && conf.contains("maxSessionTimeout=3000"), "{conf}");
    let envi = server.four_letter_word("envi").await.unwrap();
    assert!(envi.contains("java.version"), "{envi}");
    let log = server.log_tail(1_000);
    assert!(!log.is_empty());
    let client = Client::connect(server.addr(), Duration::from_secs(9)).await.unwrap();
    assert_eq!(client.negotiated_timeout(), Duration::from_secs(3));
    assert!(client.create("/big", &[0; 8_000], CreateMode::Persistent).await.is_err());
}

#[tokio::test]
async fn a_failed_start_reports_the_end_of_the_log() {
    let Some(_) = zk_testing::require() else { return };
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let taken = Server::builder().port(port).start().await.unwrap_err();
    assert!(matches!(&taken, StartError::AddressInUse { addr, .. } if addr.port() == port), "{taken}");

    let broken = Server::builder().config("initLimit", "many").start().await.unwrap_err();
    assert!(matches!(&broken, StartError::Exited { log, .. } if !log.is_empty()), "{broken}");
}

#[tokio::test]
async fn a_running_server_is_not_started_twice() {
    let Some(_) = zk_testing::require() else { return };
    let mut server = Server::start().await.unwrap();
    let pid = server.pid();
    assert!(matches!(server.start_again().await, Err(StartError::AlreadyRunning(_))));
    assert_eq!(server.pid(), pid);
}

#[tokio::test]
async fn a_server_that_dies_by_itself_is_noticed_and_can_be_started_again() {
    let Some(_) = zk_testing::require() else { return };
    let mut server = Server::start().await.unwrap();
    let pid = nix::unistd::Pid::from_raw(server.pid().unwrap().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    eventually("it is seen as down", async || !server.is_running()).await;
    server.start_again().await.unwrap();
}

const CHILD: &str = "ZK_TESTING_OWNER_THAT_DIES";

#[tokio::test]
async fn servers_die_with_their_owner_even_by_sigkill() {
    let Some(_) = zk_testing::require() else { return };
    if std::env::var_os(CHILD).is_some() {
        let (running, paused) = (Server::start().await.unwrap(), Server::start().await.unwrap());
        paused.pause().await.unwrap();
        let log = paused.log_file();
        println!("\npids {} {}", running.pid().unwrap(), paused.pid().unwrap());
        println!("folder {}", log.parent().unwrap().display());
        return std::future::pending().await;
    }
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "server::servers_die_with_their_owner_even_by_sigkill", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines().map_while(Result::ok);
    let pids = lines.find_map(|line| Some(line.strip_prefix("pids ")?.to_owned())).unwrap();
    let pids: Vec<u32> = pids.split(' ').map(|pid| pid.parse().unwrap()).collect();
    let folder = lines.find_map(|line| line.strip_prefix("folder ").map(PathBuf::from)).unwrap();
    assert!(folder.is_dir());
    assert!(pids.len() == 2 && pids.iter().all(|pid| process_exists(*pid)));
    owner.kill().unwrap();
    owner.wait().unwrap();
    let gone = async || !pids.iter().any(|pid| process_exists(*pid));
    eventually("both servers are gone", gone).await;
    eventually("their folders are gone", async || !folder.exists()).await;
}
