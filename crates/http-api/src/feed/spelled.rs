//! Events as they are sent: server-sent events, an object a line, or the members of one array.

use query::follow::{Follower, Told};
use row_model::{Transaction, Version};
use serde::Serialize;
use table_store::RowChange;

use super::asked::Form;
use crate::respond;

/// Appends events in one form.
pub(super) struct Spelling<'a> {
    pub form: Form,
    pub out: &'a mut Vec<u8>,
}

impl Spelling<'_> {
    /// A row that was changed, if its follower is told anything. Answers whether it is.
    pub fn change(&mut self, table: &str, follower: &mut Follower<'_>, change: &RowChange) -> bool {
        let Some(told) = follower.told(change) else {
            return false;
        };
        if self.form == Form::Bell {
            return true;
        }
        let (name, shown) = match told {
            Told::Upsert { .. } => ("upsert", &change.after),
            Told::Delete { row, .. } => ("delete", row),
        };
        self.begin(name, None);
        let out = &mut *self.out;
        write_table(table, out);
        follower.write_key(shown, out);
        match told {
            Told::Upsert { before } => {
                out.extend_from_slice(b",\"row\":");
                follower.write_row(shown, out);
                if let Some(before) = before {
                    out.extend_from_slice(b",\"changed\":");
                    follower.write_changed(before, shown, out);
                }
            }
            Told::Delete { reason, .. } => {
                out.extend_from_slice(b",\"reason\":");
                respond::write_json(&reason.as_str(), out);
            }
        }
        if let Some(tx) = text_of(change.transaction) {
            out.extend_from_slice(b",\"tx\":");
            respond::write_json(&tx, out);
        }
        self.end();
        true
    }

    /// A row that is there to begin with.
    pub fn row(&mut self, table: &str, follower: &mut Follower<'_>, version: &Version) {
        self.begin("upsert", None);
        write_table(table, self.out);
        follower.write_key(version, self.out);
        self.out.extend_from_slice(b",\"row\":");
        follower.write_row(version, self.out);
        self.end();
    }

    /// Anything else; with an id, if whoever has it can go on after it.
    pub fn event(&mut self, name: &str, id: Option<&str>, data: &impl Serialize) {
        self.begin(name, id);
        let brace = self.out.len();
        respond::write_json(data, self.out);
        // What was begun is an object already: this one's brace is too many, or a comma, or nothing.
        self.out.remove(brace);
        if self.form != Form::Events && self.out[brace] == b'}' && self.out[brace - 1] == b',' {
            self.out.remove(brace - 1);
        }
        self.out.pop();
        self.end();
    }

    /// Up to the first member of the data.
    fn begin(&mut self, name: &str, id: Option<&str>) {
        let out = &mut *self.out;
        if self.form == Form::Events {
            out.extend_from_slice(b"event: ");
            out.extend_from_slice(name.as_bytes());
            if let Some(id) = id {
                out.extend_from_slice(b"\nid: ");
                out.extend_from_slice(id.as_bytes());
            }
            return out.extend_from_slice(b"\ndata: {");
        }
        if self.form == Form::Batch && !out.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"event\":");
        respond::write_json(&name, out);
        out.push(b',');
        if let Some(id) = id {
            out.extend_from_slice(b"\"id\":");
            respond::write_json(&id, out);
            out.push(b',');
        }
    }

    fn end(&mut self) {
        self.out.extend_from_slice(match self.form {
            Form::Events => b"}\n\n",
            Form::Lines => b"}\n",
            Form::Batch | Form::Bell => b"}",
        });
    }
}

fn write_table(table: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"table\":");
    respond::write_json(&table, out);
    out.extend_from_slice(b",\"key\":");
}

/// A transaction as its source calls it, where what is kept of its id is that.
pub(super) fn text_of(transaction: Option<Transaction>) -> Option<String> {
    let Transaction(number) = transaction?;
    u32::try_from(number).ok().map(|number| number.to_string())
}
