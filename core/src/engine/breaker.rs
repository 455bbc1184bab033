//! The breaker: what becomes of a strategy that never stops giving commands.
//!
//! A strategy that answers its own orders with orders would keep one input for ever. Beyond a
//! limit it is stopped, and what it still asked for is refused; a loop inside one callback is
//! ended by an error from the call itself, because the engine hears of it only afterwards.

use super::{Engine, EngineError};
use crate::desk::{Command, Turn};
use crate::strategy::{Fault, Port, Strategy};

/// Commands that strategies may cause without an input from outside before a breaker trips.
pub(super) const MAX_COMMANDS_PER_INPUT: u32 = 1_000;

/// Commands that one callback may give before the next one fails: it is in a loop without end.
pub(crate) const MAX_COMMANDS_PER_CALL: usize = 10 * MAX_COMMANDS_PER_INPUT as usize;

fn flood() -> String {
    format!("breaker: more than {MAX_COMMANDS_PER_INPUT} commands in a row")
}

impl<S: Strategy> Engine<S> {
    /// Refuses what a strategy gave in a flood before it was stopped; cancels stand.
    #[cold]
    pub(super) fn refuse_late(&mut self, command: &Command) -> Result<bool, EngineError> {
        match command {
            Command::Place { id, text } => {
                self.desk.refuse(*id, text.as_deref().unwrap_or_default(), &flood())?;
                Ok(true)
            }
            Command::Amend { .. } => Ok(true),
            Command::Cancel { .. } => Ok(false),
        }
    }

    /// Stops a strategy whose commands flood the desk, and refuses what it still asks.
    #[cold]
    pub(super) fn trip(&mut self, strategy: u16, command: Command) -> Result<(), EngineError> {
        let reason = flood();
        let mut dropped = vec![command];
        for turn in std::mem::take(&mut self.desk.outbox.turns) {
            match turn {
                Turn::Command(command) if self.desk.strategy_of(&command) == strategy => {
                    dropped.push(command);
                }
                other => self.desk.outbox.turns.push_back(other),
            }
        }
        for command in dropped {
            // Cancels and amendments are simply not sent; the stop policy cancels what is open.
            if let Command::Place { id, text } = command {
                self.desk.refuse(id, text.as_deref().unwrap_or_default(), &reason)?;
            }
        }
        let message = format!(
            "gave more than {MAX_COMMANDS_PER_INPUT} commands without any event in between; \
             look for a loop that places orders in answer to its own orders"
        );
        let seat = &mut self.seats[strategy as usize - 1];
        let mut port = Port::new(&mut self.desk, strategy, seat.account, &seat.routes);
        seat.strategy.on_breaker(&message, &mut port);
        self.fail(strategy, Fault { message }, 3);
        Ok(())
    }
}
