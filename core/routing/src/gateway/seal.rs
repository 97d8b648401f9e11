//! What one provider wants back, through a client that speaks another's protocol.
//!
//! A client gives back a thought's signature as it got it, and can't read it. So what another wire wants back travels
//! there under a mark of ours.

use crate::chat::{Form, Kept};
use crate::wire::Wire;

/// Begins what only we can read; the provider whose protocol it is would refuse it.
pub(super) const MARK: &str = "callboard:kept:";

/// As it travels.
pub(super) fn seal(kept: &Kept) -> String {
    let form = match kept.form {
        Form::Signature => "signature",
        Form::Redacted => "redacted",
        Form::Field => "field",
    };
    format!("{MARK}{}:{form}:{}", kept.wire, kept.payload)
}

/// For a thought with which its provider wants nothing back.
pub(super) fn nothing() -> String {
    format!("{MARK}nothing")
}

/// What came back: ours, or `None` when it is not ours. Ours may be nothing.
pub(super) fn unseal(text: &str) -> Option<Option<Kept>> {
    let rest = text.strip_prefix(MARK)?;
    let mut parts = rest.splitn(3, ':');
    let wire = parts.next().and_then(Wire::named);
    let form = match parts.next() {
        Some("signature") => Some(Form::Signature),
        Some("redacted") => Some(Form::Redacted),
        Some("field") => Some(Form::Field),
        _ => None,
    };
    let payload = parts.next().map(str::to_owned);
    Some(match (wire, form, payload) {
        (Some(wire), Some(form), Some(payload)) => Some(Kept {
            wire,
            form,
            payload,
        }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_travels_comes_back() {
        for wire in Wire::ALL {
            for form in [Form::Signature, Form::Redacted, Form::Field] {
                let kept = Kept {
                    wire,
                    form,
                    payload: "a:b:c==".to_owned(),
                };
                assert_eq!(unseal(&seal(&kept)), Some(Some(kept)));
            }
        }
        assert_eq!(unseal(&nothing()), Some(None));
        assert_eq!(unseal("callboard:kept:strange:signature:x"), Some(None));
        assert_eq!(unseal("EqQBCg=="), None);
    }
}
