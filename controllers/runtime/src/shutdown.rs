//! The end of the process.
//!
//! Responsible for telling everything that runs when it is time to stop. Knows nothing of what runs.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Says when to stop. The end also comes when this is dropped.
#[derive(Debug)]
pub struct Stopper {
    sender: watch::Sender<bool>,
}

impl Stopper {
    /// Ends it. Can be called any number of times.
    pub fn stop(&self) {
        self.sender.send_replace(true);
    }
}

/// Hears when to stop. Clones hear the same.
#[derive(Clone, Debug)]
pub struct Shutdown {
    receiver: watch::Receiver<bool>,
}

impl Shutdown {
    /// Resolves when it is time to stop, at once if it already is.
    pub async fn requested(mut self) {
        // An error means that the stopper is gone, which is an end as well.
        let _stopped = self.receiver.wait_for(|stopped| *stopped).await.is_ok();
    }
}

/// A stopper and what hears it.
#[must_use]
pub fn channel() -> (Stopper, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Stopper { sender }, Shutdown { receiver })
}

/// Resolves at the first SIGTERM or SIGINT from now on. Fails if the handlers cannot be installed.
pub async fn signalled() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_listener_hears_the_end_however_late_it_listens() {
        let (stopper, shutdown) = channel();
        let early = tokio::spawn(shutdown.clone().requested());
        stopper.stop();
        early.await.unwrap();
        shutdown.requested().await;
    }

    #[tokio::test]
    async fn a_lost_stopper_is_an_end() {
        let (stopper, shutdown) = channel();
        drop(stopper);
        shutdown.requested().await;
    }
}
