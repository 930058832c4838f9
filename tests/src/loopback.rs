//! A sandbox's API server behind a socket of this machine, for benchmarks in real time.
//!
//! Responsible for plain HTTP on 127.0.0.1 and for a kubeconfig that leads there. Knows nothing of who calls.

use std::{fs, io, net::SocketAddr, path::PathBuf};

use axum::{Router, body::Body};
use fedscaler_sandbox::apiserver::{ApiServer, ResponseBody};
use http::{Request, Response};
use tokio::{net::TcpListener, task::JoinHandle};
use tower::ServiceExt;

/// A server that listens until it is dropped.
pub struct Loopback {
    address: SocketAddr,
    kubeconfig: PathBuf,
    serving: JoinHandle<io::Result<()>>,
}

impl Loopback {
    /// Serves on a free port, on the current tokio runtime.
    pub async fn serve(server: &ApiServer) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let service = ServiceExt::<Request<Body>>::map_response(
            server.service(),
            |response: Response<ResponseBody>| response.map(Body::new),
        );
        let router = Router::new().fallback_service(service);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        let kubeconfig = std::env::temp_dir().join(format!("fedscaler-loopback-{}.yaml", address.port()));
        fs::write(&kubeconfig, kubeconfig_of(address))?;
        Ok(Self { address, kubeconfig, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A kubeconfig file for it; gone with this.
    pub fn kubeconfig(&self) -> &PathBuf {
        &self.kubeconfig
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.serving.abort();
        // A file that is left in the folder for temporary files harms nobody.
        let _gone = fs::remove_file(&self.kubeconfig).is_ok();
    }
}

fn kubeconfig_of(address: SocketAddr) -> String {
    format!(
        "apiVersion: v1
kind: Config
current-context: loopback
clusters: [{{name: loopback, cluster: {{server: \"http://{address}\"}}}}]
users: [{{name: nobody, user: {{}}}}]
contexts: [{{name: loopback, context: {{cluster: loopback, user: nobody, namespace: default}}}}]
"
    )
}
