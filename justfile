# What one does every day; `./tests/run` checks all and is what CI runs.

# The fast tests.
test:
    cargo nextest run

# Everything, from format to mutations.
all:
    ./tests/run

# The storm of seeded random events, as long as you like.
storm seeds="1000":
    STORM_SEEDS={{seeds}} cargo nextest run --release --test spec storm

lint:
    cargo fmt --all --check
    cargo clippy --all-targets -- -D warnings

demo:
    cargo run --release -- demo
