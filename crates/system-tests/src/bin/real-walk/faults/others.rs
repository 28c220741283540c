//! What others do in ZooKeeper: delete, overwrite, deny, and create what is none of ours.

use std::time::Duration;

use zk_testing::raw::{Acl, Client, CreateMode, Error, MultiOp, permission};

use super::{Broken, Undo};
use crate::fleet::Fleet;
use crate::kinds::Kind;
use crate::settings::ROOT;

/// How many instances of others come at once.
const CROWD: u16 = 10;

/// How often somebody tries to delete what may change at that moment.
const TRIES: u32 = 5;

/// Children that are no instances, and one that is, though its data make no sense.
const FOREIGN: [(&str, &[u8]); 5] = [
    ("lock-0000000001", b""),
    ("10.0.0.9:99999", b""),
    ("0.0.0.0:80", b""),
    ("a name with spaces", b"{"),
    ("127.0.0.1:1", b"\xff\xfe not a record"),
];

impl Fleet {
    pub(super) async fn meddle(&mut self, kind: Kind, at: usize) -> Result<Broken, String> {
        if kind == Kind::DeleteZnode {
            return Ok(Broken::at_once(self.delete_znode(at).await?));
        }
        let Some(endpoint) = self.members[at].endpoint else { return Ok(Broken::at_once(false)) };
        let path = format!("{ROOT}/{endpoint}");
        let overwrite = async |client: &Client| match client.set(&path, b"{\"Weight\":1}", None).await {
            Err(Error::NoNode) => Ok(false),
            done => done.map(|_| true),
        };
        Ok(Broken::at_once(self.others.operate(overwrite).await?))
    }

    pub(super) async fn delete(&mut self, kind: Kind) -> Result<Broken, String> {
        // In one transaction: the servers are quick to create their znodes again.
        let delete = async |client: &Client| {
            let names = client.children(ROOT).await?.0;
            let mut all: Vec<_> =
                names.iter().map(|name| MultiOp::delete(format!("{ROOT}/{name}"), None)).collect();
            if kind == Kind::DeleteRoot {
                all.push(MultiOp::delete(ROOT, None));
            }
            match client.multi(&all).await {
                Ok(_) => Ok(true),
                // Somebody came or went meanwhile.
                Err(Error::Multi { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        };
        let mut took_effect = false;
        for _ in 0..TRIES {
            took_effect = took_effect || self.others.operate(delete).await?;
        }
        Ok(Broken::at_once(took_effect))
    }

    pub(super) async fn deny(&mut self, kind: Kind) -> Result<Broken, String> {
        let denied = if kind == Kind::DenyRead { permission::READ } else { permission::CREATE };
        let acl = Acl::new(permission::ALL & !denied, "world", "anyone");
        let deny = async |client: &Client| match client.set_acl(ROOT, std::slice::from_ref(&acl)).await {
            Err(Error::NoNode) => Ok(false),
            done => done.map(|_| true),
        };
        let took_effect = self.others.operate(deny).await?;
        Ok(Broken { hold: self.part(50, 200), undo: Undo::OpenRoot, took_effect })
    }

    pub(super) async fn strangers(&mut self, kind: Kind) -> Result<Broken, String> {
        let stranger = self.others.session("stranger").await?;
        let mut took_effect = true;
        let create = async |name: &str, data: &[u8]| {
            stranger.create(&format!("{ROOT}/{name}"), data, CreateMode::Ephemeral).await.is_ok()
        };
        match kind {
            Kind::Foreign => {
                for (name, data) in FOREIGN {
                    took_effect &= create(name, data).await;
                }
            }
            _ => {
                for port in 2..2 + CROWD {
                    took_effect &= create(&format!("127.0.0.1:{port}"), b"").await;
                }
            }
        }
        let hold = self.part(20, 100) + Duration::from_millis(100);
        Ok(Broken { hold, undo: Undo::Leave(Box::new(stranger)), took_effect })
    }
}
