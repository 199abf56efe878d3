//! The stack's door: messages and timers in, messages and reports out.

use super::api::{DialogId, Flow, Invite, NotReachable, Output, Reason, Settings};
use super::random::Random;
use crate::model::Time;

#[derive(Debug)]
pub struct Endpoint {
    settings: Settings,
    random: Random,
}

impl Endpoint {
    pub fn new(settings: Settings, random: Random) -> Endpoint {
        Endpoint { settings, random }
    }
    pub fn handle_message(&mut self, _now: Time, _flow: Flow, _bytes: &[u8], _out: &mut Vec<Output>) {}
    pub fn handle_timer(&mut self, _now: Time, _out: &mut Vec<Output>) {}
    pub fn next_timer(&self) -> Option<Time> {
        None
    }
    pub fn ring(&mut self, _now: Time, _dialog: DialogId, _out: &mut Vec<Output>) {}
    pub fn accept(&mut self, _now: Time, _dialog: DialogId, _sdp: &[u8], _out: &mut Vec<Output>) {}
    pub fn reject(&mut self, _now: Time, _dialog: DialogId, _code: u16, _out: &mut Vec<Output>) {}
    pub fn invite(&mut self, _now: Time, _invite: Invite, _out: &mut Vec<Output>) -> Result<DialogId, NotReachable> {
        let _ = (&self.settings, self.random.next());
        Err(NotReachable)
    }
    pub fn cancel(&mut self, _now: Time, _dialog: DialogId, _reason: Option<Reason>, _out: &mut Vec<Output>) {}
    pub fn bye(&mut self, _now: Time, _dialog: DialogId, _out: &mut Vec<Output>) {}
    pub fn reoffer(&mut self, _now: Time, _dialog: DialogId, _sdp: &[u8], _out: &mut Vec<Output>) {}
    pub fn answer_reoffer(&mut self, _now: Time, _dialog: DialogId, _sdp: &[u8], _out: &mut Vec<Output>) {}
    pub fn reject_reoffer(&mut self, _now: Time, _dialog: DialogId, _code: u16, _out: &mut Vec<Output>) {}
}
