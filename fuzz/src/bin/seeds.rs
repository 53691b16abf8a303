//! Writes the seeds into `corpus/TARGET/`: the examples of the registry, in the form that each target reads.

fn main() -> std::io::Result<()> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, _) in entries::ENTRIES {
        let own = folder.join(target);
        std::fs::create_dir_all(&own)?;
        for (number, seed) in entries::seeds(target).into_iter().enumerate() {
            std::fs::write(own.join(format!("example-{number}")), seed)?;
        }
    }
    Ok(())
}
