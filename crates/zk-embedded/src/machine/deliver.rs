use super::watches::Firing;
use super::{Machine, Output, access};
use zk_wire::{Acl, WatchEvent};

impl Machine {
    /// Sends an event to the connections that may read the znode; the watches of the others are used up all the same.
    pub(super) fn deliver(&self, firing: Firing, acl: &[Acl], zxid: i64, outputs: &mut Vec<Output>) {
        let Firing { kind, path, connections } = firing;
        let zxid = if self.settings.event_zxids { zxid } else { WatchEvent::NO_ZXID };
        for id in connections {
            let Some(connection) = self.connections.get(&id) else { continue };
            if access::check(acl, access::READ, &connection.identities).is_ok() {
                let event = WatchEvent { kind, path: path.clone() };
                outputs.push(Output::Event { connection: id, zxid, event });
            }
        }
    }
}
