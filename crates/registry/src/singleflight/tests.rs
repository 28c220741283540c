use std::convert::Infallible;
use std::sync::atomic::AtomicU32;

use super::*;

#[tokio::test]
async fn one_operation_serves_all_callers_with_an_earlier_ticket() {
    let (flight, runs) = (Singleflight::default(), AtomicU32::new(0));
    let operation = || async {
        runs.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(())
    };
    let ticket = flight.ticket();
    let _ = tokio::join!(flight.run(ticket, operation()), flight.run(ticket, operation()));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    flight.run(flight.ticket(), operation()).await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 2, "an earlier operation does not serve a later ticket");
}

#[tokio::test]
async fn a_failed_operation_serves_no_other_caller() {
    let flight = Singleflight::default();
    let ticket = flight.ticket();
    flight.run(ticket, async { Err("no") }).await.unwrap_err();
    let mut has_run = false;
    let operation = async {
        has_run = true;
        Ok::<_, Infallible>(())
    };
    flight.run(ticket, operation).await.unwrap();
    assert!(has_run);
}
