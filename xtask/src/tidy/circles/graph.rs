//! Circles of a graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Where one module uses another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) path: String,
}

/// Modules by their numbers, and whom each uses.
#[derive(Debug)]
pub(super) struct Graph(Vec<BTreeMap<usize, BTreeSet<Place>>>);

impl Graph {
    pub(super) fn new(modules: usize) -> Self {
        Self(vec![BTreeMap::new(); modules])
    }

    pub(super) fn add(&mut self, from: usize, to: usize, place: Place) {
        self.0[from].entry(to).or_default().insert(place);
    }

    /// The places where one uses the other, in the order of their lines.
    pub(super) fn places(&self, from: usize, to: usize) -> impl Iterator<Item = &Place> {
        self.0[from].get(&to).into_iter().flatten()
    }

    /// The sets of modules each of which reaches each other one of its set.
    pub(super) fn components(&self) -> Vec<BTreeSet<usize>> {
        let reached: Vec<BTreeSet<usize>> = (0..self.0.len()).map(|from| self.reached(from)).collect();
        let mut components = Vec::new();
        let mut placed = BTreeSet::new();
        for (module, reaches) in reached.iter().enumerate() {
            if reaches.contains(&module) && !placed.contains(&module) {
                let component = reaches.iter().copied();
                let component: BTreeSet<usize> = component.filter(|other| reached[*other].contains(&module)).collect();
                placed.extend(component.iter().copied());
                components.push(component);
            }
        }
        components
    }

    fn reached(&self, from: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<usize> = self.0[from].keys().copied().collect();
        while let Some(module) = next.pop() {
            if reached.insert(module) {
                next.extend(self.0[module].keys().copied());
            }
        }
        reached
    }

    /// The shortest way from a module back to itself, without the return.
    pub(super) fn shortest_through(&self, start: usize) -> Vec<usize> {
        let mut came_from = BTreeMap::new();
        let mut next = VecDeque::from([start]);
        while let Some(module) = next.pop_front() {
            for to in self.0[module].keys().copied() {
                if to == start {
                    let mut cycle = vec![module];
                    while let Some(before) = cycle.last().and_then(|last| came_from.get(last)) {
                        cycle.push(*before);
                    }
                    cycle.reverse();
                    return cycle;
                }
                came_from.entry(to).or_insert_with(|| {
                    next.push_back(to);
                    module
                });
            }
        }
        Vec::new()
    }

    /// The shortest circles that together pass through every module of a component, the shortest first.
    pub(super) fn cycles(&self, component: &BTreeSet<usize>) -> Vec<Vec<usize>> {
        let mut all: Vec<Vec<usize>> = component.iter().map(|module| self.shortest_through(*module)).collect();
        all.sort_by_key(Vec::len);
        let mut passed = BTreeSet::new();
        all.retain(|cycle| {
            let is_new = cycle.iter().any(|module| !passed.contains(module));
            passed.extend(cycle.iter().copied());
            is_new
        });
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(usize, usize)]) -> Graph {
        let mut graph = Graph::new(8);
        for (from, to) in edges {
            graph.add(
                *from,
                *to,
                Place {
                    line: 1,
                    path: String::new(),
                },
            );
        }
        graph
    }

    #[test]
    fn a_graph_without_circles_has_no_component() {
        assert!(graph(&[(0, 1), (1, 2), (0, 2), (3, 2)]).components().is_empty());
    }

    #[test]
    fn components_are_whole_and_apart() {
        let graph = graph(&[(0, 1), (1, 2), (2, 1), (2, 3), (3, 4), (4, 5), (5, 3), (6, 0)]);
        let found = graph.components();
        assert_eq!(found, [BTreeSet::from([1, 2]), BTreeSet::from([3, 4, 5])]);
    }

    #[test]
    fn the_shortest_circle_comes_first_and_all_modules_are_passed() {
        let graph = graph(&[(0, 1), (1, 2), (2, 3), (3, 0), (2, 0), (3, 4), (4, 3)]);
        let [component] = &graph.components()[..] else { panic!() };
        assert_eq!(graph.cycles(component), [vec![3, 4], vec![0, 1, 2]]);
    }
}
