use super::*;

#[test]
fn the_most_severe_event_comes_first_and_creations_do_not_count() {
    let inbox = Inbox::new(Readiness::Closed);
    inbox.notify(EventKind::Created);
    assert_eq!(inbox.counts(), EventCounts::default());
    inbox.notify(EventKind::DataChanged);
    inbox.notify(EventKind::Deleted);
    assert_eq!(inbox.counts().change_since(EventCounts::default()), Some(EventKind::Deleted));
    assert_eq!(inbox.counts().change_since(inbox.counts()), None);
}

#[test]
fn a_readiness_is_taken_once() {
    let inbox = Inbox::new(Readiness::Unlinked);
    inbox.publish(Readiness::Closed);
    assert!(matches!(inbox.take_readiness(), Some(Readiness::Closed)));
    assert!(inbox.take_readiness().is_none());
}

#[test]
fn a_write_of_ours_accounts_for_one_event_and_no_more() {
    let (last, first) = (EventCounts { deleted: 0, written: u32::MAX }, EventCounts::default());
    assert_eq!(last.change_since(first), None, "the event has not come yet");
    assert_eq!(first.or_later(last), first);
    let another = EventCounts { deleted: 0, written: 1 };
    assert_eq!(another.change_since(first), Some(EventKind::DataChanged));
}
