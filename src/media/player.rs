//! What a leg is made to hear: a sequence of prompts, once, or a track of music, round and round.

use super::codec::{Codec, FRAME};
use super::library::Sound;
use crate::model::PlayId;
use std::sync::Arc;

/// Sounds that can wait for one that plays.
const WAITING_MAX: usize = 32;

/// Prompts that are being played.
#[derive(Debug)]
pub struct Play {
    pub id: PlayId,
    sounds: Vec<Arc<Sound>>,
    /// Which of them, and where in it.
    index: usize,
    position: usize,
}

impl Play {
    /// `None` if there is nothing to play.
    pub fn new(id: PlayId, mut sounds: Vec<Arc<Sound>>) -> Option<Play> {
        sounds.retain(|sound| sound.length() > 0);
        (!sounds.is_empty()).then_some(Play { id, sounds, index: 0, position: 0 })
    }

    /// Another sound after those that are left of a play, if there are not too many.
    pub fn after(play: Option<Play>, sound: &Arc<Sound>) -> Option<Play> {
        let Some(mut play) = play else { return Play::new(PlayId(0), vec![sound.clone()]) };
        if play.sounds.len() - play.index < WAITING_MAX {
            play.sounds.push(sound.clone());
        }
        Some(play)
    }

    pub fn frame(&self, codec: Codec) -> &[u8; FRAME] {
        self.sounds[self.index].frame(codec, self.position)
    }

    /// Goes on to the next frame; true if that was the last.
    pub fn advance(&mut self) -> bool {
        self.position += FRAME;
        if self.position >= self.sounds[self.index].length() {
            (self.index, self.position) = (self.index + 1, 0);
        }
        self.index == self.sounds.len()
    }
}

/// Music and where it is.
#[derive(Debug)]
pub struct Music {
    track: Arc<Sound>,
    position: usize,
}

impl Music {
    pub fn new(track: Arc<Sound>) -> Music {
        Music { track, position: 0 }
    }

    pub fn frame(&self, codec: Codec) -> &[u8; FRAME] {
        self.track.frame(codec, self.position)
    }

    pub fn advance(&mut self) {
        self.position = (self.position + FRAME) % self.track.length();
    }
}
