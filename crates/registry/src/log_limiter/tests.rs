use super::*;

#[tokio::test(start_paused = true)]
async fn ten_lines_a_second_are_admitted_and_the_others_are_counted() {
    let log = LogLimiter::default();
    assert_eq!((0..100).filter(|_| log.admits()).count(), LINES as usize);
    assert_eq!(log.window.lock().withheld, 90);
    tokio::time::advance(WINDOW).await;
    assert!(log.admits());
}
