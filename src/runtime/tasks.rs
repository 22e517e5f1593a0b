//! Watched tasks: each has a name, all are joined, and a dead one ends the process, for a daemon that has lost one
//! of its parts must be restarted, not believed.

use std::future::Future;

use tokio::sync::watch;
use tokio::task::JoinSet;

/// Says when the process must stop. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown {
    rx: watch::Receiver<bool>,
}

impl Shutdown {
    /// The switch, and what to hand to tasks.
    pub fn new() -> (ShutdownSwitch, Self) {
        let (tx, rx) = watch::channel(false);
        (ShutdownSwitch { tx }, Self { rx })
    }

    /// Returns once the process must stop. Cancel-safe.
    pub async fn wait(&mut self) {
        // An error means that the switch is gone: that too is the end.
        let _ = self.rx.wait_for(|stop| *stop).await;
    }

    pub fn is_set(&self) -> bool {
        *self.rx.borrow()
    }
}

/// Stops everything that holds the matching [`Shutdown`], at the latest when it is dropped.
#[derive(Debug)]
pub struct ShutdownSwitch {
    tx: watch::Sender<bool>,
}

impl ShutdownSwitch {
    pub fn stop(&self) {
        self.tx.send_replace(true);
    }
}

/// A set of named tasks.
#[derive(Debug, Default)]
pub struct Tasks {
    set: JoinSet<(String, anyhow::Result<()>)>,
}

impl Tasks {
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task that runs until the process stops.
    pub fn spawn(&mut self, name: impl Into<String>, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let name = name.into();
        self.set.spawn(async move { (name, task.await) });
    }

    /// Waits for all tasks after `shutdown`, or for the first that ends before it: that is an error which names it.
    pub async fn run(mut self, mut shutdown: Shutdown) -> anyhow::Result<()> {
        let first = tokio::select! {
            () = shutdown.wait() => None,
            ended = self.set.join_next() => ended,
        };
        match first {
            None => {}
            Some(Err(panic)) => return Err(anyhow::anyhow!("a task died: {panic}")),
            Some(Ok((name, Err(e)))) => return Err(e.context(format!("task {name} failed"))),
            // A task may see the shutdown a moment before this one does.
            Some(Ok((_, Ok(())))) if shutdown.is_set() => {}
            Some(Ok((name, Ok(())))) => return Err(anyhow::anyhow!("task {name} ended by itself")),
        }
        while let Some(ended) = self.set.join_next().await {
            match ended {
                Ok((name, Err(e))) => tracing::warn!(task = %name, error = format!("{e:#}"), "ended with an error"),
                Ok((_, Ok(()))) => {}
                Err(panic) => tracing::warn!(%panic, "a task died while stopping"),
            }
        }
        Ok(())
    }
}
