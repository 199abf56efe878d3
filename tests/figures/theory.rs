//! What mathematics says the figures must be, computed here once more beside the constants of the tables.

/// Erlang C: nobody leaves.
pub struct ErlangC {
    pub wait_probability: f64,
    /// Seconds, over all callers.
    pub mean_wait: f64,
    agents: f64,
    load: f64,
    handle: f64,
}

impl ErlangC {
    pub fn new(agents: u32, load: f64, handle: f64) -> ErlangC {
        // Erlang B by its recursion in the number of agents, then C from B.
        let blocked = (1..=agents).fold(1.0, |b, k| load * b / (f64::from(k) + load * b));
        let agents = f64::from(agents);
        let wait_probability = blocked / (1.0 - load / agents * (1.0 - blocked));
        ErlangC { wait_probability, mean_wait: wait_probability * handle / (agents - load), agents, load, handle }
    }

    /// Those answered within `target` seconds: waits are exponential, given that there is one.
    pub fn service_level(&self, target: f64) -> f64 {
        1.0 - self.wait_probability * (-(self.agents - self.load) * target / self.handle).exp()
    }
}

/// Erlang A: patience is exponential.
pub struct ErlangA {
    pub wait_probability: f64,
    pub abandoned: f64,
    pub mean_wait: f64,
    pub mean_queue: f64,
    pub occupancy: f64,
}

impl ErlangA {
    /// `arrivals` per second; spans in seconds.
    pub fn new(agents: u32, arrivals: f64, handle: f64, patience: f64) -> ErlangA {
        let n = agents as usize;
        let rates = |k: usize| k.min(n) as f64 / handle + k.saturating_sub(n) as f64 / patience;
        let mut weights = vec![1.0];
        while weights.len() <= n || weights.last().is_some_and(|w| *w > 1e-18) {
            let k = weights.len();
            weights.push(weights[k - 1] * arrivals / rates(k));
        }
        let all: f64 = weights.iter().sum();
        let mean = |value: &dyn Fn(usize) -> f64| weights.iter().enumerate().map(|(k, w)| value(k) * w / all).sum::<f64>();
        let mean_queue = mean(&|k| k.saturating_sub(n) as f64);
        let mean_wait = mean_queue / arrivals;
        ErlangA {
            wait_probability: mean(&|k| f64::from(u8::from(k >= n))),
            abandoned: mean_wait / patience,
            mean_wait,
            mean_queue,
            occupancy: mean(&|k| k.min(n) as f64) / n as f64,
        }
    }
}

/// Two languages, English-only and bilingual agents. Pairs are (English, Spanish), or (English-only, bilingual) agents.
pub struct NDesign {
    pub mean_wait: (f64, f64),
    pub abandoned: (f64, f64),
    pub occupancy: (f64, f64),
}

/// The most who wait in either line; beyond it lies less than a millionth of a millionth of the time.
const LINE: usize = 40;

/// Busy English-only agents, busy bilinguals, English in line, Spanish in line.
type State = [usize; 4];

struct Centre {
    agents: [usize; 2],
    arrivals: [f64; 2],
    handle: f64,
    patience: f64,
}

impl Centre {
    /// Where each state leads, and how fast.
    fn moves(&self, [english, bilingual, line_e, line_s]: State) -> Vec<(f64, State)> {
        let [all_english, all_bilingual] = self.agents;
        // An English caller takes an English-only agent first, else a bilingual.
        let english_comes = match (english < all_english, bilingual < all_bilingual) {
            (true, _) => [english + 1, bilingual, line_e, line_s],
            (false, true) => [english, bilingual + 1, line_e, line_s],
            (false, false) => [english, bilingual, line_e + 1, line_s],
        };
        let spanish_comes = match bilingual < all_bilingual {
            true => [english, bilingual + 1, line_e, line_s],
            false => [english, bilingual, line_e, line_s + 1],
        };
        // A freed English-only agent serves English; a freed bilingual Spanish first.
        let english_freed = match line_e > 0 {
            true => [english, bilingual, line_e - 1, line_s],
            false => [english.saturating_sub(1), bilingual, line_e, line_s],
        };
        let bilingual_freed = match (line_s > 0, line_e > 0) {
            (true, _) => [english, bilingual, line_e, line_s - 1],
            (false, true) => [english, bilingual, line_e - 1, line_s],
            (false, false) => [english, bilingual.saturating_sub(1), line_e, line_s],
        };
        let mut moves = vec![
            (self.arrivals[0], english_comes),
            (self.arrivals[1], spanish_comes),
            (english as f64 / self.handle, english_freed),
            (bilingual as f64 / self.handle, bilingual_freed),
            (line_e as f64 / self.patience, [english, bilingual, line_e.saturating_sub(1), line_s]),
            (line_s as f64 / self.patience, [english, bilingual, line_e, line_s.saturating_sub(1)]),
        ];
        moves.retain(|(rate, to)| *rate > 0.0 && to[2] <= LINE && to[3] <= LINE);
        moves
    }

    fn index(&self, [english, bilingual, line_e, line_s]: State) -> usize {
        ((english * (self.agents[1] + 1) + bilingual) * (LINE + 1) + line_e) * (LINE + 1) + line_s
    }

    /// The share of time spent in each state that can be reached, by Gauss and Seidel's iteration.
    fn shares(&self) -> Vec<(State, f64)> {
        let mut states: Vec<State> = vec![[0; 4]];
        let mut number = vec![usize::MAX; self.index([self.agents[0], self.agents[1], LINE, LINE]) + 1];
        number[self.index([0; 4])] = 0;
        let (mut into, mut out) = (vec![Vec::new()], Vec::new());
        let mut at = 0;
        while at < states.len() {
            let moves = self.moves(states[at]);
            out.push(moves.iter().map(|(rate, _)| rate).sum::<f64>());
            for (rate, to) in moves {
                let slot = self.index(to);
                if number[slot] == usize::MAX {
                    number[slot] = states.len();
                    states.push(to);
                    into.push(Vec::new());
                }
                into[number[slot]].push((rate, at));
            }
            at += 1;
        }
        let mut share = vec![1.0 / states.len() as f64; states.len()];
        for _ in 0..3_000 {
            let mut change: f64 = 0.0;
            for state in 0..states.len() {
                let new = into[state].iter().map(|(rate, from)| rate * share[*from]).sum::<f64>() / out[state];
                change = change.max((new - share[state]).abs());
                share[state] = new;
            }
            let all: f64 = share.iter().sum();
            share.iter_mut().for_each(|s| *s /= all);
            if change < 1e-16 {
                break;
            }
        }
        states.into_iter().zip(share).collect()
    }
}

impl NDesign {
    /// `load` in erlangs; spans in seconds.
    pub fn new(agents: (u32, u32), load: (f64, f64), handle: f64, patience: f64) -> NDesign {
        let arrivals = [load.0 / handle, load.1 / handle];
        let centre = Centre { agents: [agents.0 as usize, agents.1 as usize], arrivals, handle, patience };
        let shares = centre.shares();
        let mean = |part: usize| shares.iter().map(|(state, share)| state[part] as f64 * share).sum::<f64>();
        let mean_wait = (mean(2) / arrivals[0], mean(3) / arrivals[1]);
        NDesign {
            mean_wait,
            abandoned: (mean_wait.0 / patience, mean_wait.1 / patience),
            occupancy: (mean(0) / f64::from(agents.0), mean(1) / f64::from(agents.1)),
        }
    }
}
