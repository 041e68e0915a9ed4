//! What identifies contents: BLAKE3 of them.

use crate::tensor::HostTensor;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::hash::{Hash, Hasher};

/// Equal for equal contents only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Of a tensor: element type, shape and bits.
    pub fn of_tensor(t: &HostTensor) -> Self {
        let mut f = Feed::default();
        t.dtype().hash(&mut f);
        t.shape().hash(&mut f);
        f.write(t.bytes());
        f.digest()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl From<Digest> for String {
    fn from(d: Digest) -> Self {
        d.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        blake3::Hash::from_hex(&text)
            .map(|h| Self(*h.as_bytes()))
            .map_err(|e| e.to_string())
    }
}

/// Takes what `Hash` gives it, all of it.
#[derive(Default, Clone)]
pub struct Feed {
    hasher: blake3::Hasher,
    /// Small pieces are put together first.
    pending: Vec<u8>,
}

impl Feed {
    const MOST: usize = 4096;

    pub fn digest(&self) -> Digest {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.pending);
        Digest(*hasher.finalize().as_bytes())
    }
}

impl Hasher for Feed {
    fn write(&mut self, bytes: &[u8]) {
        if self.pending.len() + bytes.len() > Self::MOST {
            self.hasher.update(&self.pending);
            self.pending.clear();
        }
        if bytes.len() > Self::MOST {
            self.hasher.update(bytes);
        } else {
            self.pending.extend_from_slice(bytes);
        }
    }

    /// The first part of the digest.
    fn finish(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.digest().0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_of_other_shape_type_or_bits_differ() {
        let d = |t: &HostTensor| Digest::of_tensor(t);
        let a = HostTensor::from_f32(&[2, 1], &[0.0, 1.0]);
        assert_eq!(d(&a), d(&a.clone()));
        assert_ne!(d(&a), d(&HostTensor::from_f32(&[1, 2], &[0.0, 1.0])));
        assert_ne!(d(&a), d(&HostTensor::from_f32(&[2, 1], &[-0.0, 1.0])));
        assert_ne!(d(&a), d(&HostTensor::from_i32(&[2, 1], &[0, 0x3f80_0000])));
    }

    #[test]
    fn digests_are_read_as_they_are_written() {
        let d = Digest::of(b"abc");
        assert_eq!(Digest::try_from(d.to_string()), Ok(d));
        assert!(Digest::try_from("xyz".to_string()).is_err());
    }
}
