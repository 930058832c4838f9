//! The live view: the sandbox as a picture on a terminal, and keys to play with it.
//!
//! Responsible for having the terminal while it lasts, for drawing what there is to see and for hearing what is wished.
//! Does nothing of it.

mod keys;
mod picture;
mod scene;
pub mod screen;

use std::time::Duration;

use chrono::{DateTime, Utc};
use fedscaler_sandbox::{apiserver::Local, member::traffic::Workload, world::World};

pub(super) use self::keys::Wish;
use self::{
    keys::Keys,
    picture::Palette,
    scene::{Progress, Scene},
    screen::Screen,
};
use super::{controls::Controls, gateway::Gateway, narrate::Line, pace::Pace};
use crate::Refusal;

/// The view. The terminal is given back when it is dropped.
pub(super) struct Live {
    screen: Screen,
    keys: Keys,
    palette: Palette,
    scene: Scene,
    workload: Workload,
    local: Local,
}

/// From when to when it is played, in sandbox time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Length {
    pub(super) start: DateTime<Utc>,
    /// None: until somebody ends it.
    pub(super) length: Option<Duration>,
}

impl Live {
    /// Takes the terminal.
    pub(super) fn open(
        world: &World,
        gateway: &Gateway,
        workload: &Workload,
        now: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            screen: Screen::take()?,
            keys: Keys::listen(gateway.bell()),
            palette: Palette::of_terminal(),
            scene: Scene::new(now, gateway.kubeconfig().clone()),
            workload: workload.clone(),
            local: world.control_plane().local("view"),
        })
    }

    /// Shows what happened.
    pub(super) fn tell(&mut self, line: Line) {
        self.scene.tell(line);
    }

    /// What is wished next.
    pub(super) async fn wish(&mut self) -> Wish {
        self.keys.next().await
    }

    /// The member that the keys are about.
    pub(super) fn selected(&self) -> Option<&str> {
        self.scene.selected()
    }

    /// Lets the keys be about the next member, or the one before.
    pub(super) fn select(&mut self, forwards: bool) {
        self.scene.select(forwards);
    }

    /// Follows the curves, and draws if it is time to.
    pub(super) fn refresh(
        &mut self,
        world: &World,
        controls: &Controls,
        pace: &mut Pace,
        (now, length): (DateTime<Utc>, Length),
    ) -> Result<(), Refusal> {
        self.scene.follow(world, &self.workload, now);
        if !pace.is_picture_due() {
            return Ok(());
        }
        self.scene.now = now;
        self.scene.speed = pace.to_string();
        self.scene.progress = progress(length, now, pace);
        self.scene.look((world, &self.local), &self.workload, controls);
        let (scene, palette) = (&self.scene, self.palette);
        self.screen.draw(|frame| picture::draw(frame, scene, palette))
    }
}

fn progress(length: Length, now: DateTime<Utc>, pace: &Pace) -> Option<Progress> {
    let all = length.length?;
    let passed = (now - length.start).to_std().unwrap_or_default();
    let rest = all.saturating_sub(passed);
    Some(Progress { done: passed.div_duration_f64(all), to_go: pace.wall_time_of(rest) })
}
