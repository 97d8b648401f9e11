//! Protocol Buffers, as far as spans need them.
//! For: fields written in the three ways that OTLP's trace messages use. Not for: reading. A test decodes what comes
//! out with OpenTelemetry's own types.

/// A message being written.
#[derive(Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push((number & 0x7f) as u8);
    }

    fn key(&mut self, field: u32, kind: u32) {
        self.number(u64::from(field << 3 | kind));
    }

    /// A number, left out where it is 0, as everybody reads it.
    pub(super) fn varint(&mut self, field: u32, number: u64) {
        if number != 0 {
            self.always(field, number);
        }
    }

    /// A number, also 0: within a choice of fields its presence says something.
    pub(super) fn always(&mut self, field: u32, number: u64) {
        self.key(field, 0);
        self.number(number);
    }

    pub(super) fn fixed64(&mut self, field: u32, bits: u64) {
        self.key(field, 1);
        self.0.extend(bits.to_le_bytes());
    }

    pub(super) fn block(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, 2);
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
    }

    pub(super) fn text(&mut self, field: u32, text: &str) {
        self.block(field, text.as_bytes());
    }

    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Message)) {
        let mut inner = Message::default();
        write(&mut inner);
        self.block(field, &inner.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_specification_shows() {
        // https://protobuf.dev/programming-guides/encoding: field 1 is 150, field 2 is "testing", field 3 a message.
        let mut message = Message::default();
        message.varint(1, 150);
        message.text(2, "testing");
        message.message(3, |inner| inner.varint(1, 150));
        message.varint(4, 0);
        let expected = b"\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01";
        assert_eq!(message.bytes(), expected);
        let mut most = Message::default();
        most.varint(1, u64::MAX);
        assert_eq!(
            most.bytes(),
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
        );
    }
}
