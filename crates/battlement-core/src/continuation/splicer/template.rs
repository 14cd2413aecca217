//! Events that are made after one of the first answer.

use super::{
    super::{
        frames::Event,
        places::{Edits, find, inside_of_string, string},
        text::quoted,
    },
    Splicer,
};

/// An event with text, which others are made after.
pub(super) struct Template {
    pub(super) name: Vec<u8>,
    pub(super) data: Vec<u8>,
    /// It has nothing but text: no role, no reason for stopping.
    is_plain: bool,
}

impl Splicer {
    /// Keeps the first event with text, and rather one that has nothing else.
    pub(super) fn learn_template(&mut self, name: &[u8], data: &[u8]) {
        let is_better = match &self.template {
            None => true,
            Some(known) => !known.is_plain,
        };
        if is_better && name.len() + data.len() <= 16 * 1024 {
            let has = |place: &str| string(data, place).is_some();
            let is_plain = !has(self.form.beginning) && !has(self.form.finish);
            let (name, data) = (name.to_vec(), data.to_vec());
            self.template = Some(Template { name, data, is_plain });
        }
    }

    /// Writes an event with this text.
    pub(super) fn write(&mut self, text: &str, out: &mut Vec<u8>) {
        let Some(template) = &self.template else { return };
        let data = &template.data;
        let mut edits = Edits::default();
        for (index, range) in find(data, self.form.text).into_iter().enumerate() {
            edits.put(range, if index == 0 { quoted(text) } else { b"\"\"".to_vec() });
        }
        for range in find(data, self.form.finish) {
            if inside_of_string(&data[range.clone()]).is_some() {
                edits.put(range, "null");
            }
        }
        edits.set(data, "sequence_number", self.number.to_string().as_bytes());
        self.number = self.number.saturating_add(1);
        Event::write(&template.name, &edits.apply(data), out);
    }
}
