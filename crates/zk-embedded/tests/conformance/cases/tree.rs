//! The root, and what every server has from the start.

use zk_wire::OpCode;

use super::plain::on_path;
use super::{Case, SEQUENTIAL, case};
use crate::common::request::{create, delete, multi, of_path, read, set_data};

const PRESENT: [&str; 5] =
    ["!/", "!/zookeeper", "!/zookeeper/config", "!/zookeeper/quota", "!/zookeeper/nothing"];

pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for path in PRESENT {
        all.push(case(format!("tree: reads of {}", &path[1..]), move |t| {
            let a = t.open();
            for request in on_path(path).into_iter().take(11) {
                // The root has as many nodes below it as there were cases.
                let counts = [OpCode::GetChildren, OpCode::GetChildren2, OpCode::GetAllChildrenNumber];
                if path != "!/" || !counts.contains(&request.op_code()) {
                    a.call(request);
                }
            }
        }));
        all.push(case(format!("tree: writes of {}", &path[1..]), move |t| {
            let a = t.open();
            a.call(delete(path, -1));
            a.call(multi([delete(path, -1)]));
            a.create(path, "", 0);
            a.get(path);
            a.set(path, "text");
            a.get(path);
            a.call(set_data(path, "", 99));
            a.exists(path);
        }));
        all.push(case(format!("tree: below {}", &path[1..]), move |t| {
            let a = t.open();
            let child = format!("{}/added", path.trim_end_matches('/'));
            a.create(&child, "", 0);
            a.exists(path);
            a.create(&child, "", SEQUENTIAL);
            a.delete(&child);
            a.exists(path);
        }));
    }
    all.push(case("tree: the root is watched", |t| {
        let (a, b) = (t.open(), t.open());
        b.call(read(OpCode::GetData, "!/", true));
        b.call(read(OpCode::GetChildren, "!/zookeeper", true));
        b.recursive("!/");
        a.create("/x", "", 0);
        a.call(set_data("!/", "text", -1));
        a.call(of_path(OpCode::GetAcl, "!/"));
        a.call(create("!/added_to_root", "", 0));
        a.delete("!/added_to_root");
    }));
    all.push(case("tree: the root's children are watched", |t| {
        let (a, b) = (t.open(), t.open());
        b.persistent("!/");
        a.call(create("!/added_to_root", "", 0));
        a.delete("!/added_to_root");
        a.call(set_data("!/", "text", -1));
    }));
    all
}
