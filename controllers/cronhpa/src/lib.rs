//! The CronHPA controller: state that holds at a time.
