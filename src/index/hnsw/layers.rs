//! A graph apart from its section: what those of other libraries are brought to, and what they are
//! written from.

use super::graph::{Layer, MAX_LAYERS, MAX_LINKS};
use super::walk::Links;
use crate::words::{Bitmap, Code, Error, Result};

/// A graph: the row where a walk enters, and its layers, lowest first; the lowest has every row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layers {
    /// A node of the last layer; 0 if there are no rows.
    pub entry: u32,
    /// None if there are no rows.
    pub layers: Vec<Layer>,
}

impl Layers {
    /// The links of any graph, in its own order, without those that no walk heeds: a node's to itself,
    /// to a node that it already links to, to rows that aren't there. A node of a layer is whoever has
    /// links in it or is linked to: a walk can come nowhere else.
    ///
    /// # Errors
    /// `INVALID_INPUT` if it has more layers, or links a node, than an index file may have.
    pub(crate) fn of(graph: &impl Links, count: usize) -> Result<Self> {
        let Some((entry, top)) = graph.entry().filter(|_| count > 0) else { return Ok(Layers::default()) };
        let refused = |what: String| Err(Error::new(Code::InvalidInput, what));
        if top >= MAX_LAYERS as usize || entry as usize >= count {
            return refused(format!(
                "the graph has {} layers and is entered at row {entry}; an .elanus file takes {MAX_LAYERS}, and {count} rows",
                top + 1
            ));
        }
        let mut layers = Vec::with_capacity(top + 1);
        // The nodes of the layer above are nodes of this one.
        let mut nodes = Bitmap::none(count);
        nodes.insert(entry as usize);
        let mut links = Vec::new();
        // A row's place plus 1, so that 0 is nobody.
        let mut linked_by = vec![0u32; count];
        for layer in (0..=top).rev() {
            let (mut sources, mut ends, mut all) = (Vec::new(), Vec::new(), Vec::new());
            linked_by.fill(0);
            for row in 0..count as u32 {
                links.clear();
                graph.each(layer, row, |to| {
                    let is_new = to != row
                        && linked_by.get_mut(to as usize).is_some_and(|by| std::mem::replace(by, row + 1) != row + 1);
                    if is_new {
                        links.push(to);
                    }
                });
                if links.len() > MAX_LINKS as usize {
                    return refused(format!(
                        "row {row} of the graph has {} links; an .elanus file takes {MAX_LINKS} a node",
                        links.len()
                    ));
                }
                if !links.is_empty() || layer == 0 {
                    nodes.insert(row as usize);
                    links.iter().for_each(|&to| nodes.insert(to as usize));
                    sources.push(row);
                    all.extend_from_slice(&links);
                    ends.push(all.len());
                }
            }
            let mut own = Layer::default();
            let mut at = 0;
            for row in nodes.iter() {
                let has_links = sources.get(at) == Some(&(row as u32));
                let start = if at == 0 { 0 } else { ends[at - 1] };
                let end = if has_links { ends[at] } else { start };
                own.push(row as u32, all[start..end].iter().copied());
                at += usize::from(has_links);
            }
            layers.push(own);
        }
        layers.reverse();
        Ok(Layers { entry, layers })
    }

    /// Refuses a graph that isn't one over so many rows.
    ///
    /// # Errors
    /// `INVALID_INPUT`.
    pub(super) fn check(&self, count: usize) -> Result<()> {
        let nodes = self.layers.first().map_or(0, |layer| layer.nodes().len());
        match nodes == count {
            true => Ok(()),
            false => Err(Error::new(
                Code::InvalidInput,
                format!("a graph of {nodes} rows can't be kept over {count} vectors"),
            )),
        }
    }

    /// How many layers each row is in.
    pub fn heights(&self) -> Vec<usize> {
        let mut heights = vec![0; self.layers.first().map_or(0, |layer| layer.nodes().len())];
        self.layers.iter().flat_map(Layer::nodes).for_each(|(row, _)| heights[row as usize] += 1);
        heights
    }

    /// The most links of a node in the lowest layer, and in those above.
    pub fn most_links(&self) -> (usize, usize) {
        let most = |layers: &[Layer]| layers.iter().map(Layer::most_links).max().unwrap_or(0) as usize;
        let (lowest, upper) = self.layers.split_at(self.layers.len().min(1));
        (most(lowest), most(upper))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Links by layer and row; whatever they say.
    #[derive(Debug)]
    struct Any {
        entry: u32,
        links: Vec<Vec<Vec<u32>>>,
    }

    impl Links for Any {
        fn entry(&self) -> Option<(u32, usize)> {
            Some((self.entry, self.links.len() - 1))
        }

        fn each(&self, layer: usize, row: u32, visit: impl FnMut(u32)) {
            self.links[layer].get(row as usize).into_iter().flatten().copied().for_each(visit);
        }
    }

    proptest! {
        #[test]
        fn any_graph_becomes_one_that_is_valid(
            links in prop::collection::vec(prop::collection::vec(prop::collection::vec(0u32..9, 0..6), 7), 1..4),
            entry in 0u32..7,
        ) {
            let graph = Any { entry, links };
            let layers = Layers::of(&graph, 7).unwrap();
            layers.check(7).unwrap();
            prop_assert_eq!(layers.layers.len(), graph.links.len());
            for (l, layer) in layers.layers.iter().enumerate() {
                let rows: Vec<u32> = layer.nodes().map(|(row, _)| row).collect();
                prop_assert!(rows.is_sorted_by(|a, b| a < b));
                let below: Vec<u32> = layers.layers[l.saturating_sub(1)].nodes().map(|(row, _)| row).collect();
                prop_assert!(rows.iter().all(|row| below.contains(row)));
                for (row, links) in layer.nodes() {
                    let mut expected: Vec<u32> = Vec::new();
                    for &to in &graph.links[l][row as usize] {
                        if to != row && to < 7 && !expected.contains(&to) {
                            expected.push(to);
                        }
                    }
                    prop_assert_eq!(links, &expected[..]);
                    prop_assert!(links.iter().all(|to| rows.contains(to)));
                }
            }
            prop_assert!(layers.layers.last().unwrap().nodes().any(|(row, _)| row == entry));
            prop_assert_eq!(layers.heights().len(), 7);
        }
    }

    #[test]
    fn graphs_that_no_file_takes_are_refused() {
        let tall = Any { entry: 0, links: vec![vec![vec![]; 2]; MAX_LAYERS as usize + 1] };
        assert_eq!(Layers::of(&tall, 2).unwrap_err().code, Code::InvalidInput);
        let wide = Any { entry: 0, links: vec![vec![(0..=MAX_LINKS + 1).collect(); 5000]] };
        assert!(Layers::of(&wide, 5000).unwrap_err().message.contains("4097 links"));
        assert!(Layers::default().check(1).is_err());
    }
}
