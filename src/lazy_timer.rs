//! A deadline that moves on all the time and is hardly ever met.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep};

/// Armed for the earliest deadline it was given, and moved on only when it goes off too early: setting a timer for
/// each request of a connection would cost more than the rest of the bookkeeping together.
#[derive(Default)]
pub struct LazyTimer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl LazyTimer {
    /// Ready when the deadline has passed; it is computed again whenever that matters.
    pub fn poll(&mut self, cx: &mut Context<'_>, deadline: impl Fn() -> Instant) -> Poll<()> {
        let mut wanted = deadline();
        loop {
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(wanted)));
            if sleep.deadline() > wanted {
                sleep.as_mut().reset(wanted);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            wanted = deadline();
            if Instant::now() >= wanted {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(wanted);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moves_is_met_where_it_went() {
        let begun = Instant::now();
        let (mut alarm, moved) = (LazyTimer::default(), Cell::new(0));
        // It looks three times, and each time the deadline has moved on a second.
        std::future::poll_fn(|cx| {
            alarm.poll(cx, || {
                moved.set(moved.get() + 1);
                begun + Duration::from_secs(moved.get().min(4))
            })
        })
        .await;
        assert_eq!(begun.elapsed().as_secs(), 4);
        // Used again with a nearer deadline, it is not late.
        let again = Instant::now();
        std::future::poll_fn(|cx| alarm.poll(cx, || again + Duration::from_millis(10))).await;
        assert!(again.elapsed() < Duration::from_millis(20));
    }
}
