//! Sums of floats as if every digit were kept, rounded once at the end: the order of the rows changes nothing.
//!
//! The sum is held as a few floats that do not overlap (Shewchuk 1997; `math.fsum` of Python is the same).

/// Numbers from here on are held apart, divided by [`SCALE`], so that no sum on the way is too great for a float.
const GREAT: f64 = f64::from_bits((1023 + 960) << 52);
/// 2^100.
const SCALE: f64 = f64::from_bits((1023 + 100) << 52);

#[derive(Clone, Debug, Default)]
pub(super) struct FloatSum {
    /// From the least to the greatest, none of which has a digit where another has one.
    parts: Vec<f64>,
    /// The same of the great numbers, divided.
    great: Vec<f64>,
}

impl FloatSum {
    /// Adds a finite number.
    pub fn add(&mut self, number: f64) {
        if number.abs() >= GREAT {
            push(&mut self.great, number / SCALE);
        } else {
            push(&mut self.parts, number);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for part in &other.parts {
            push(&mut self.parts, *part);
        }
        for part in &other.great {
            push(&mut self.great, *part);
        }
    }

    /// The float next to the sum; infinite if there is none so great.
    pub fn total(&self) -> f64 {
        if self.great.iter().all(|part| *part == 0.0) {
            return rounded(&self.parts);
        }
        let mut all = self.great.clone();
        for part in &self.parts {
            push(&mut all, *part / SCALE);
        }
        rounded(&all) * SCALE
    }

    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + (self.parts.capacity() + self.great.capacity()) * size_of::<f64>()
    }
}

fn push(parts: &mut Vec<f64>, number: f64) {
    let (mut sum, mut kept) = (number, 0);
    for at in 0..parts.len() {
        let part = parts[at];
        let (greater, less) = if sum.abs() < part.abs() {
            (part, sum)
        } else {
            (sum, part)
        };
        sum = greater + less;
        let lost = less - (sum - greater);
        if lost != 0.0 {
            parts[kept] = lost;
            kept += 1;
        }
    }
    parts.truncate(kept);
    parts.push(sum);
}

fn rounded(parts: &[f64]) -> f64 {
    let mut rest = parts.iter().rev();
    let mut sum = rest.next().copied().unwrap_or(0.0);
    let mut lost = 0.0;
    for part in rest.by_ref() {
        let before = sum;
        sum = before + part;
        lost = part - (sum - before);
        if lost != 0.0 {
            break;
        }
    }
    // Half way between two floats the digits below decide.
    if let Some(below) = rest.next()
        && (lost < 0.0) == (*below < 0.0)
        && lost != 0.0
    {
        let twice = lost * 2.0;
        let next = sum + twice;
        if (next - sum).to_bits() == twice.to_bits() {
            return next;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;

    use super::*;

    fn sum(numbers: &[f64]) -> FloatSum {
        let mut sum = FloatSum::default();
        for number in numbers {
            sum.add(*number);
        }
        sum
    }

    /// The number times 2^1074, which is whole for every float.
    fn whole(number: f64) -> BigInt {
        let bits = number.to_bits();
        let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
        let magnitude = match exponent {
            0 => BigInt::from(fraction),
            exponent => BigInt::from(fraction | 1 << 52) << (exponent - 1),
        };
        if number < 0.0 { -magnitude } else { magnitude }
    }

    /// The sum is nearer to the exact one than either of its neighbours, or as near and even.
    fn is_nearest(sum: f64, exact: &BigInt) -> bool {
        let far = |number: f64| {
            let apart = whole(number) - exact;
            apart.magnitude().clone()
        };
        let own = far(sum);
        [sum.next_up(), sum.next_down()].into_iter().all(|beside| {
            let beside = far(beside);
            own < beside || (own == beside && sum.to_bits().is_multiple_of(2))
        })
    }

    #[test]
    fn what_cancels_out_leaves_the_rest_whole() {
        let check = |numbers: &[f64], total: f64| {
            assert_eq!(sum(numbers).total().to_bits(), total.to_bits());
        };
        let great = f64::MAX;
        check(&[], 0.0);
        check(&[0.1; 10], 1.0);
        check(&[1e100, 1.0, -1e100], 1.0);
        check(&[1.0, f64::EPSILON / 2.0, 1e-300], 1.0 + f64::EPSILON);
        check(&[great, great, -great], great);
        check(&[great, great, -great, -great, 1e-320], 1e-320);
        check(&[great, great], f64::INFINITY);
    }

    proptest! {
        #[test]
        fn the_sum_is_the_float_next_to_the_exact_one(
            numbers in proptest::collection::vec((-1e17..1e17_f64, -60..60_i32), 0..20),
            split: proptest::sample::Index,
        ) {
            let numbers: Vec<f64> = numbers.iter().map(|(number, power)| number * 2_f64.powi(*power)).collect();
            let exact: BigInt = numbers.iter().map(|number| whole(*number)).sum();
            let total = sum(&numbers).total();
            prop_assert!(is_nearest(total, &exact), "{numbers:?} {total}");
            let (some, others) = numbers.split_at(split.index(numbers.len() + 1));
            let mut merged = sum(others);
            merged.merge(&sum(some));
            prop_assert_eq!(merged.total().to_bits(), total.to_bits());
        }
    }
}
