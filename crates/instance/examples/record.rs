//! Prints a record as it is written to a znode, and reads some invalid ones.
//!
//! ```text
//! cargo run -p instance --example record
//! ```

use instance::{Format, Incarnation, Instance, Owner, Plain};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let owner = Owner::new(Incarnation::from_u128(0x0123_4567_89ab_cdef))
        .with_host("db-7")
        .with_pid(4711)
        .with_bound("0.0.0.0:8897".parse()?);
    let instance =
        Instance::new("10.0.0.7:8897".parse()?).with_weight(50).with_tag("zone", "a").with_owner(owner);
    let written = Plain.encode(&instance)?;
    println!("written  {}  {}", written.segment, String::from_utf8_lossy(&written.data));
    let leaving = Plain.encode(&instance.with_draining(true))?;
    println!("draining {}  {}", leaving.segment, String::from_utf8_lossy(&leaving.data));

    let invalid: [(&str, &[u8]); 6] = [
        ("127.0.0.1:8897", b""),
        ("127.0.0.1:8898", b"\xff\xfe"),
        ("[::1]:8899", br#"{"Weight":"heavy","Tags":{"zone":"b","cores":8}}"#),
        ("[0:0::1]:8899", b""),
        ("0.0.0.0:8897", b""),
        ("lock-0000000001", b""),
    ];
    for (segment, data) in invalid {
        match Plain.decode(segment, data) {
            Ok(read) => {
                let instance = read.instance;
                println!("read     {}  weight {}", instance.endpoint(), instance.weight());
                read.remarks.iter().for_each(|remark| println!("         but {remark}"));
            }
            Err(error) => println!("skipped  {error}"),
        }
    }
    Ok(())
}
