//! The only file that reads a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::{MonoMillis, UnixMillis};

/// Wall time and monotonic time.
pub trait Clock: Send + Sync {
    fn now(&self) -> UnixMillis;
    fn mono(&self) -> MonoMillis;
}

pub type SharedClock = Arc<dyn Clock>;

/// The machine's clocks.
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    pub fn shared() -> SharedClock {
        Arc::new(Self { started: Instant::now() })
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn now(&self) -> UnixMillis {
        // A clock before 1970 is a clock that was never set: time 0 says so.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn mono(&self) -> MonoMillis {
        MonoMillis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// A clock that moves only when told: scenarios and tests.
#[derive(Default)]
pub struct ManualClock {
    now: AtomicI64,
}

impl ManualClock {
    pub fn at(now: UnixMillis) -> Arc<Self> {
        Arc::new(Self { now: AtomicI64::new(now.0) })
    }

    pub fn advance(&self, span: Duration) {
        self.now.fetch_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.now.load(Ordering::SeqCst))
    }

    fn mono(&self) -> MonoMillis {
        MonoMillis(self.now.load(Ordering::SeqCst).max(0) as u64)
    }
}
