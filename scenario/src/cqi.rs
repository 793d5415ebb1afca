//! The channel quality indicator that a rate amounts to.

/// Bits a second for each Hz of the modulation and coding of CQI index 1, 2, ... 15: table 7.2.3-1 of
/// 3GPP TS 36.213 (4-bit CQI, up to 64QAM).
pub const EFFICIENCIES: [f64; 15] = [
    0.1523, 0.2344, 0.3770, 0.6016, 0.8770, 1.1758, 1.4766, 1.9141, 2.4063, 2.7305, 3.3223, 3.9023,
    4.5234, 5.1152, 5.5547,
];

/// The largest CQI index.
pub const LARGEST: f64 = EFFICIENCIES.len() as f64;

/// The CQI index, 0 to 15, of a channel of `bandwidth_mhz` MHz over which `rate_bits_s` bits a second
/// go: the largest whose efficiency is not above the channel's, 0 where even that of index 1 is. No
/// rate is an unlimited one.
pub fn index(rate_bits_s: Option<u64>, bandwidth_mhz: f64) -> f64 {
    let Some(rate) = rate_bits_s else { return LARGEST };
    let efficiency = rate as f64 / (bandwidth_mhz * 1e6);
    EFFICIENCIES.iter().take_while(|least| **least <= efficiency).count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_begins_at_its_efficiency() {
        for (least, right) in EFFICIENCIES.iter().zip(1..) {
            // One MHz: the efficiency is the rate in Mbit/s.
            let rate = (least * 1e6).round() as u64;
            assert_eq!(index(Some(rate), 1.0), f64::from(right));
            assert_eq!(index(Some(rate - 1), 1.0), f64::from(right - 1));
        }
        assert_eq!((index(Some(0), 20.0), index(None, 20.0)), (0.0, 15.0));
        // 12 Mbit/s over 20 MHz are 0.6 bit/s/Hz, just below index 4.
        assert_eq!((index(Some(12_000_000), 20.0), index(Some(u64::MAX), 20.0)), (3.0, 15.0));
    }
}
