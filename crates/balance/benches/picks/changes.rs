//! What a change of the set costs, and an endpoint.

use std::hint::black_box;

use balance::{EntryChange, Strategy};
use tokio::time::Instant;

use crate::timing::median;
use crate::{address, balancer};

/// Measures changes until a reader has seen them, one at a time.
pub(crate) fn measure(size: usize, times: usize) {
    let mut made = None;
    let memory = allocation_counter::measure(|| made = Some(balancer(size, Strategy::Random)));
    let balancer = made.unwrap();
    let mut reader = balancer.reader();
    let mut timed = |change: &dyn Fn(usize) -> EntryChange<_, ()>| {
        let mut micros: Vec<f64> = (0..times)
            .map(|number| {
                let change = change(number);
                let began = Instant::now();
                balancer.apply([change]);
                black_box(reader.choose().unwrap().key());
                began.elapsed().as_nanos() as f64 / 1e3
            })
            .collect();
        median(&mut micros)
    };
    let insert = timed(&|number| EntryChange::Insert(address(size + number), ()));
    let value = timed(&|number| EntryChange::Insert(address(number * 7919 % size), ()));
    let remove = timed(&|number| EntryChange::Remove(address(size + number * 7919 % times)));
    let began = Instant::now();
    balancer.update((0..size).map(|number| (address(number), ())));
    black_box(reader.choose().unwrap().key());
    let whole = began.elapsed().as_nanos() as f64 / 1e3;
    println!(
        "N = {size:>7}: insert {insert:6.1}, value {value:6.1}, remove {remove:6.1}, whole set {whole:9.1}; \
         {} bytes",
        memory.bytes_current / i64::try_from(size).unwrap()
    );
}
