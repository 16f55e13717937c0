//! Has sources tell readers where their logs end.

use change_feed::EndsQuestion;
use http_api::{EndsAnswer, LogEnds};

/// The pipeline's sources.
pub struct PipelineEnds(pub ingest::LogEnds);

impl LogEnds for PipelineEnds {
    fn ask(&self, source: &str, of: Vec<(String, i32)>, answer: EndsAnswer) {
        let question = EndsQuestion::new(of, |ends| {
            let ends = ends.map(|ends| {
                let ends = ends.into_iter();
                ends.map(|end| (end.topic, end.partition, end.next))
                    .collect()
            });
            answer(ends);
        });
        self.0.ask(source, question);
    }
}
