//! Metrics and probes of the sandbox's controllers, for Prometheus.
//!
//! Responsible for a thread in real time: the sandbox's own clock is held back and driven. Knows no metric.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::mpsc,
};

use fedscaler_runtime::{
    admin::{Admin, AdminError},
    metrics::Metrics,
    readiness::Readiness,
};
use tokio::{runtime::Builder, sync::oneshot};

use crate::Refusal;

/// Where `fedscaler run` serves them as well, and any port if that is taken.
const USUAL: [SocketAddr; 2] = [loopback(8080), loopback(0)];

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// The thread. It ends when this is dropped.
pub(super) struct AdminThread {
    address: SocketAddr,
    _open: oneshot::Sender<Infallible>,
}

impl AdminThread {
    /// Listens on `address`, or on this machine's loopback if none is given.
    pub(super) fn start(
        address: Option<SocketAddr>,
        metrics: &Metrics,
        readiness: &Readiness,
    ) -> Result<Self, Refusal> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Refusal::new)?;
        let addresses = address.map_or_else(|| USUAL.to_vec(), |address| vec![address]);
        let (metrics, readiness) = (metrics.clone(), readiness.clone());
        let (open, closed) = oneshot::channel::<Infallible>();
        let (bound, address) = mpsc::channel();
        std::thread::spawn(move || {
            runtime.block_on(async {
                let admin = bind(&addresses, &metrics, &readiness).await;
                let address = admin
                    .as_ref()
                    .map_err(Refusal::new)
                    .and_then(|admin| admin.address().map_err(Refusal::new));
                let (Ok(()), Ok(admin)) = (bound.send(address), admin) else { return };
                let served = admin.serve(async {
                    let _closed = closed.await;
                });
                if let Err(error) = served.await {
                    tracing::error!(%error, "metrics are not served any more");
                }
            });
        });
        let address = address.recv().map_err(Refusal::new)??;
        Ok(Self { address, _open: open })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The first of the addresses that is free.
async fn bind(
    addresses: &[SocketAddr],
    metrics: &Metrics,
    readiness: &Readiness,
) -> Result<Admin, AdminError> {
    let (last, others) = addresses.split_last().unwrap_or((&USUAL[1], &[]));
    for address in others {
        if let Ok(admin) = Admin::bind(*address, metrics.clone(), readiness.clone()).await {
            return Ok(admin);
        }
    }
    Admin::bind(*last, metrics.clone(), readiness.clone()).await
}
