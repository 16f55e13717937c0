//! How far a consumer group has acknowledged, asked and told in Kafka's own protocol.
//!
//! Just the two requests, each with a connection of its own, to a broker that coordinates every
//! group: no client library stands between a test and what the broker holds.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, bail, ensure};

use crate::records::Partition;

const OFFSET_COMMIT: (i16, i16) = (8, 2);
const OFFSET_FETCH: (i16, i16) = (9, 1);

/// Longest answer that is believed.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// The offsets of a group; nothing for a partition of which it has acknowledged nothing.
pub(crate) fn fetch(
    broker: &str,
    group: &str,
    partitions: impl ExactSizeIterator<Item = Partition>,
) -> anyhow::Result<BTreeMap<Partition, i64>> {
    let mut request = Vec::new();
    put_text(&mut request, group)?;
    put_count(&mut request, partitions.len())?;
    for (topic, partition) in partitions {
        put_text(&mut request, &topic)?;
        put_count(&mut request, 1)?;
        request.extend(partition.to_be_bytes());
    }
    let answer = ask(broker, OFFSET_FETCH, &request)?;
    let mut answer = Answer(&answer);
    let mut offsets = BTreeMap::new();
    answer.each_partition(|answer, place| {
        let offset = i64::from_be_bytes(answer.take()?);
        answer.skip_text()?;
        answer.check_no_error(&place)?;
        if offset >= 0 {
            offsets.insert(place, offset);
        }
        Ok(())
    })?;
    Ok(offsets)
}

/// Has a group without members acknowledge this far.
pub(crate) fn commit(
    broker: &str,
    group: &str,
    offsets: &BTreeMap<Partition, i64>,
) -> anyhow::Result<()> {
    let mut request = Vec::new();
    put_text(&mut request, group)?;
    // No generation, no member, and no retention other than the broker's.
    request.extend((-1_i32).to_be_bytes());
    put_text(&mut request, "")?;
    request.extend((-1_i64).to_be_bytes());
    put_count(&mut request, offsets.len())?;
    for ((topic, partition), offset) in offsets {
        put_text(&mut request, topic)?;
        put_count(&mut request, 1)?;
        request.extend(partition.to_be_bytes());
        request.extend(offset.to_be_bytes());
        put_text(&mut request, "")?;
    }
    let answer = ask(broker, OFFSET_COMMIT, &request)?;
    Answer(&answer).each_partition(|answer, place| answer.check_no_error(&place))
}

/// Sends a request and returns the answer behind its header.
fn ask(broker: &str, (key, version): (i16, i16), body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut request = Vec::new();
    request.extend(key.to_be_bytes());
    request.extend(version.to_be_bytes());
    let correlation = 0_i32.to_be_bytes();
    request.extend(correlation);
    put_text(&mut request, "black-box")?;
    request.extend(body);
    let mut stream = TcpStream::connect(broker).with_context(|| format!("broker {broker}"))?;
    stream.write_all(&i32::try_from(request.len())?.to_be_bytes())?;
    stream.write_all(&request)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length))?;
    ensure!(length <= ANSWER_BYTES_MAX, "an answer of {length} bytes");
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    ensure!(answer.starts_with(&correlation), "another request's answer");
    Ok(answer.split_off(correlation.len()))
}

fn put_text(request: &mut Vec<u8>, text: &str) -> anyhow::Result<()> {
    request.extend(i16::try_from(text.len())?.to_be_bytes());
    request.extend(text.as_bytes());
    Ok(())
}

fn put_count(request: &mut Vec<u8>, count: usize) -> anyhow::Result<()> {
    request.extend(i32::try_from(count)?.to_be_bytes());
    Ok(())
}

/// What of an answer is still to be read.
struct Answer<'a>(&'a [u8]);

impl Answer<'_> {
    fn each_partition(
        &mut self,
        mut visit: impl FnMut(&mut Self, Partition) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for _ in 0..i32::from_be_bytes(self.take()?) {
            let topic = self.text()?;
            for _ in 0..i32::from_be_bytes(self.take()?) {
                let partition = i32::from_be_bytes(self.take()?);
                visit(self, (topic.clone(), partition))?;
            }
        }
        Ok(())
    }

    fn check_no_error(&mut self, (topic, partition): &Partition) -> anyhow::Result<()> {
        match i16::from_be_bytes(self.take()?) {
            0 => Ok(()),
            code => bail!("error {code} for {topic}-{partition}"),
        }
    }

    fn text(&mut self) -> anyhow::Result<String> {
        let length = usize::try_from(i16::from_be_bytes(self.take()?))?;
        let (text, rest) = self.0.split_at_checked(length).context("cut off")?;
        self.0 = rest;
        Ok(String::from_utf8(text.to_vec())?)
    }

    /// Skips a text that may be null, which is told by a length of -1.
    fn skip_text(&mut self) -> anyhow::Result<()> {
        let length = i16::from_be_bytes(self.take()?);
        let length = usize::try_from(length.max(0))?;
        self.0 = self.0.get(length..).context("cut off")?;
        Ok(())
    }

    fn take<const COUNT: usize>(&mut self) -> anyhow::Result<[u8; COUNT]> {
        let (taken, rest) = self.0.split_first_chunk().context("cut off")?;
        self.0 = rest;
        Ok(*taken)
    }
}
