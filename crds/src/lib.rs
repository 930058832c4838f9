//! Wire types of FedHPA and CronHPA, and the CustomResourceDefinitions rendered from them.
