//! What a case is, and how it becomes a test against the sandbox.

use std::pin::Pin;

use crate::server::Server;

/// What a case takes for granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// An API server.
    ApiServer,
    /// The garbage collector and the namespace controller as well.
    Controllers,
    /// More than the sandbox does.
    RealServer,
}

/// A case: what it says, what it takes for granted, and what it does.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) need: Need,
    pub(crate) run: for<'a> fn(&'a Server) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
}

/// One case, not tested in the sandbox by itself.
macro_rules! case {
    ($need:ident, $case:ident) => {
        crate::case::Case {
            name: concat!(module_path!(), "::", stringify!($case)),
            need: crate::case::Need::$need,
            run: |server| Box::pin($case(server)),
        }
    };
}

/// Lists the cases of a module: `CASES` for a real server, and a test each for the sandbox.
macro_rules! cases {
    ($need:ident: $($case:ident),+ $(,)?) => {
        pub(crate) const CASES: &[crate::case::Case] = &[$(crate::case::case!($need, $case)),+];

        mod in_the_sandbox {
            $(
                #[tokio::test(start_paused = true)]
                async fn $case() {
                    super::$case(&crate::server::Server::sandbox().await).await;
                }
            )+
        }
    };
}

pub(crate) use {case, cases};
