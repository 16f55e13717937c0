//! Asking sources where their logs end, from any thread. Nothing here is on the way of a record.

use change_feed::EndsQuestion;
use crossbeam_channel::{Sender, TrySendError};

/// The way to all sources. Cheap to clone; outlives the pipeline, which then answers no more.
#[derive(Clone, Debug, Default)]
pub struct LogEnds(Vec<(String, Sender<EndsQuestion>)>);

impl LogEnds {
    pub(crate) fn push(&mut self, source: String, questions: Sender<EndsQuestion>) {
        self.0.push((source, questions));
    }

    /// Asks a source of this name. The question is answered later, or at once with why it cannot be.
    pub fn ask(&self, source: &str, question: EndsQuestion) {
        let Some((_, questions)) = self.0.iter().find(|(name, _)| name == source) else {
            return question.answer(Err(format!("there is no source {source}")));
        };
        match questions.try_send(question) {
            Ok(()) => {}
            Err(TrySendError::Full(question)) => {
                question.answer(Err("too many are asking already".to_owned()));
            }
            Err(TrySendError::Disconnected(question)) => {
                question.answer(Err("the pipeline has ended".to_owned()));
            }
        }
    }
}
