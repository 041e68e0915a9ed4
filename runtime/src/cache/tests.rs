use super::*;
use crate::log::{Entry, Log};
use crate::tensor::HostTensor;
use std::rc::Rc;

fn log(entries: &[HostTensor]) -> Log {
    let mut log = Log::default();
    entries.iter().for_each(|t| log.push(Entry::of(t)));
    log
}

fn saved(n: u8) -> Saved {
    let t = |x: f32| HostTensor::from_f32(&[2], &[x, f32::NAN]);
    let steps = Happened::Steps {
        form: 0,
        steps: 1,
        each: true,
    };
    Saved {
        key: Digest::of(&[n]),
        pipeline: "p.ml".into(),
        stage: "fit".into(),
        seconds: 1.5,
        results: Results {
            slots: [("w".to_string(), Digest::of_tensor(&t(1.0)))].into(),
            ..Results::default()
        },
        slots: vec![("w".into(), Rc::new(t(1.0)))],
        logs: vec![
            ("loss".into(), log(&[t(2.0), t(3.0)])),
            ("none".into(), log(&[])),
            (
                "ragged".into(),
                log(&[t(2.0), HostTensor::from_f32(&[], &[4.0])]),
            ),
        ],
        forms: vec![vec!["loss".into(), "ragged".into()]],
        happened: vec![
            (steps, 1, 0),
            (Happened::Shown(0), 1, 0),
            (Happened::Block { form: 0 }, 1, 1),
            (Happened::Checkpoint(0), 1, 1),
        ],
        shown: vec![Shown {
            block: 1,
            item: 2,
            values: vec![("x".into(), HostTensor::from_bool(&[1], &[true]))],
        }],
        checkpoints: vec![("fit-1".into(), vec![("w".into(), Rc::new(t(5.0)))])],
        sizes: vec![(3, Digest::of(b"3"))],
        failed: Some("loss".into()),
    }
}

#[test]
fn what_is_kept_is_read_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path().join("a/b"));
    let one = saved(1);
    assert!(matches!(cache.read(&one.key), Err(Missing::Absent)));
    assert!(cache.list().unwrap().is_empty());
    cache.write(&one).unwrap();
    assert_eq!(cache.read(&one.key).unwrap(), one);
    let listed = cache.list().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].about.as_ref().unwrap().stage, "fit");
    assert_eq!(Cache::check(&listed[0]), None);
}

/// Every byte counts, and every length.
#[test]
fn damage_is_found_wherever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path());
    let one = saved(1);
    cache.write(&one).unwrap();
    let path = cache.path(&one.key);
    let bytes = fs::read(&path).unwrap();
    let damaged = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(cache.read(&one.key), Err(Missing::Damaged(_))));
        cache.list().unwrap();
    };
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1 << (at % 8);
        damaged(&other);
    }
    for length in 0..bytes.len() {
        damaged(&bytes[..length]);
    }
    fs::write(&path, &bytes).unwrap();
    let other = cache.path(&Digest::of(b"other"));
    fs::rename(&path, &other).unwrap();
    assert!(matches!(
        cache.read(&Digest::of(b"other")),
        Err(Missing::Damaged(_))
    ));
}

#[test]
fn what_was_used_longest_ago_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut cache = Cache::new(dir.path());
    let age = |n: u8, seconds: u64| {
        let path = cache.path(&saved(n).key);
        let file = File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds))
            .unwrap();
    };
    for n in 1..=3 {
        cache.write(&saved(n)).unwrap();
    }
    (1..=3).for_each(|n| age(n, 1000 * u64::from(n)));
    // Reading is using.
    cache.read(&saved(3).key).unwrap();
    let size = cache.list().unwrap()[0].bytes;
    cache.most = 3 * size;
    cache.write(&saved(4)).unwrap();
    let has = |n: u8| cache.has(&saved(n).key);
    assert_eq!([1, 2, 3, 4].map(has), [true, false, true, true]);
    // What a killed run left goes once it is old.
    for (name, age) in [("new.tmp", 0), ("old.tmp", 7200)] {
        let file = File::create(dir.path().join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age))
            .unwrap();
    }
    assert_eq!(cache.prune(|_| false).unwrap(), (1, 0));
    assert_eq!(cache.prune(|_| true).unwrap(), (3, 3 * size));
    assert!(dir.path().join("new.tmp").exists());
}
