use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Keeps all the times.
#[derive(Default)]
struct Model {
    deposits: Vec<Duration>,
    withdrawals: Vec<Duration>,
}

fn since(times: &[Duration], counts: impl Fn(Duration) -> bool) -> f64 {
    times.iter().filter(|time| counts(**time)).count() as f64
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Deposit,
    Withdraw,
    Wait(Duration),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![5 => 0_u64..200, 5 => 0_u64..2_000, 1 => 0_u64..100_000];
    let step = prop_oneof![
        4 => Just(Step::Deposit),
        4 => Just(Step::Withdraw),
        2 => wait.prop_map(|ms| Step::Wait(Duration::from_millis(ms))),
    ];
    prop::collection::vec(step, 0..400)
}

proptest! {
    #[test]
    fn a_budget_is_what_all_the_times_add_up_to(
        steps in steps(),
        // In thousandths, so that the model's floats are as good as exact.
        share in 0_u32..3_000,
        floor in 0_u32..4,
        ttl_ms in 1_000_u64..5_000,
    ) {
        let ttl = Duration::from_millis(ttl_ms);
        let budget = Budget::new(share as f32 / 1e3, floor, ttl).unwrap();
        let (share, floor) = (f64::from(share) / 1e3, f64::from(floor) * ttl.as_secs_f64());
        let step_of = |time: Duration| time.as_nanos() / (ttl.as_nanos() / 10);
        let (start, mut model, mut now) = (Instant::now(), Model::default(), Duration::ZERO);
        // The first call sets the origin of the steps.
        prop_assert_eq!(budget.balance(start), (floor + 1e-9) as u64);
        for step in steps {
            match step {
                Step::Deposit => {
                    budget.deposit(start + now);
                    model.deposits.push(now);
                }
                Step::Withdraw => {
                    let counts = |time: Duration| step_of(time) + 10 >= step_of(now);
                    let left = floor + share * since(&model.deposits, counts) - since(&model.withdrawals, counts);
                    prop_assert_eq!(budget.balance(start + now), (left + 1e-9).max(0.0) as u64);

                    let taken = budget.withdraw(start + now);
                    prop_assert_eq!(taken, left + 1e-9 >= 1.0, "{} left", left);
                    if taken {
                        model.withdrawals.push(now);
                    }

                    // The same bounds without steps.
                    let (within, within_more) = (|time| time + ttl > now, |time| time + ttl * 11 / 10 >= now);
                    let most = floor + share * since(&model.deposits, within_more);
                    let least = floor + share * since(&model.deposits, within);
                    if taken {
                        prop_assert!(since(&model.withdrawals, within) <= most + 1e-9);
                    } else {
                        prop_assert!(since(&model.withdrawals, within_more) + 1.0 > least - 1e-9);
                    }
                }
                Step::Wait(time) => now += time,
            }
        }
    }
}

#[test]
fn a_share_of_the_calls_is_retried() {
    let (budget, now) = (Budget::new(0.7, 0, SECOND).unwrap(), Instant::now());
    assert!(!budget.withdraw(now));
    for _ in 0..10 {
        budget.deposit(now);
    }
    assert_eq!(budget.balance(now), 7);
    assert_eq!((0..10).filter(|_| budget.withdraw(now)).count(), 7);
}

#[test]
fn the_floor_comes_back_after_the_time_to_live() {
    let (budget, start) = (Budget::default(), Instant::now());
    assert_eq!((0..1_000).filter(|_| budget.withdraw(start)).count(), 100);
    let at = |ms| start + Duration::from_millis(ms);
    assert!(!budget.withdraw(at(10_999)));
    assert_eq!(budget.balance(at(11_000)), 100);
}

#[test]
fn calls_pay_for_retries_until_they_are_forgotten() {
    let (budget, start) = (Budget::new(10.0, 0, SECOND).unwrap(), Instant::now());
    budget.deposit(start);
    assert_eq!(budget.balance(start + SECOND), 10);
    assert!(budget.withdraw(start + SECOND));
    // The call is forgotten, the retry is not: that is not less than nothing.
    assert_eq!(budget.balance(start + SECOND * 11 / 10), 0);
    budget.deposit(start + SECOND * 11 / 10);
    assert_eq!(budget.balance(start + SECOND * 11 / 10), 9);
    assert_eq!(budget.balance(start + SECOND * 3_600), 0);
}

#[test]
fn a_time_that_is_behind_counts_as_the_last_one() {
    let (budget, start) = (Budget::new(1.0, 0, SECOND).unwrap(), Instant::now() + SECOND * 60);
    for ago in [0, 5, 60] {
        budget.deposit(start - SECOND * ago);
    }
    assert_eq!(budget.balance(start + SECOND), 3);
    budget.deposit(start);
    assert_eq!(budget.balance(start + SECOND * 2), 1, "it was noted a second later than it happened");
}

#[test]
fn concurrent_retries_share_one_budget() {
    let (budget, now) = (Budget::default(), Instant::now());
    let withdraw = || (0..100).filter(|_| budget.withdraw(now)).count();
    let taken: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(withdraw)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(taken, 100);
}

#[test]
fn only_budgets_in_range_are_taken() {
    let new = |share, floor, ttl| Budget::new(share, floor, ttl).map(|_| ());
    assert_eq!(new(0.0, 0, SECOND), Ok(()));
    assert_eq!(new(10.0, 1_000_000, SECOND * 60), Ok(()));
    for share in [-0.1, 10.1, f32::INFINITY] {
        assert_eq!(new(share, 0, SECOND), Err(BudgetError::Share { share }));
    }
    assert!(matches!(new(f32::NAN, 0, SECOND), Err(BudgetError::Share { .. })));
    let floor_per_second = 1_000_001;
    assert_eq!(new(0.2, floor_per_second, SECOND), Err(BudgetError::Floor { floor_per_second }));
    for ttl in [Duration::from_millis(999), Duration::from_millis(60_001)] {
        assert_eq!(new(0.2, 10, ttl), Err(BudgetError::Ttl { ttl }));
    }
}
