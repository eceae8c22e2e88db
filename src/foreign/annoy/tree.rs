//! Checks a whole file, so that a search can trust it.

use super::layout::Layout;
use crate::foreign::Space;
use crate::words::{Error, Result};

/// The number of ids and the roots of a file of this shape, once every tree in it was followed.
///
/// # Errors
/// `CORRUPT_FILE`.
pub(super) fn check(file: &[u8], layout: &Layout) -> Result<(usize, Vec<u32>)> {
    let corrupt = |what: String| {
        Error::corrupt(format!(
            "the Annoy file {what}: it is damaged, or was built with another dimension or metric than {} of {}",
            layout.space.name(),
            layout.dimension
        ))
    };
    let nodes = file.len() / layout.bytes;
    if file.is_empty() || !file.len().is_multiple_of(layout.bytes) || i32::try_from(nodes).is_err() {
        return Err(corrupt(format!("has {} bytes, where nodes of {} were expected", file.len(), layout.bytes)));
    }
    let count = layout.node(file, nodes as u32 - 1).below();
    let Some(count) = usize::try_from(count).ok().filter(|&count| count > 0 && count < nodes) else {
        return Err(corrupt(format!("ends with a root of {count} rows in {nodes} nodes")));
    };
    // As Annoy finds them: the nodes at the end that have as many rows below as the last.
    let of_all = |&number: &u32| layout.node(file, number).below() as usize == count;
    let mut roots: Vec<u32> = (0..nodes as u32).rev().take_while(of_all).collect();
    let first_child = |root: &u32| layout.node(file, *root).children()[0];
    // The last tree's root stands right before the copies.
    if roots.len() > 1 && roots.first().map(first_child) == roots.last().map(first_child) {
        roots.pop();
    }
    if let Some(row) = (0..count as u32).find(|&row| !matches!(layout.node(file, row).below(), 0 | 1)) {
        return Err(corrupt(format!("says that vector {row} has {} rows below it", layout.node(file, row).below())));
    }
    follow(file, layout, count, nodes, &roots).map_err(corrupt)?;
    Ok((count, roots))
}

/// Follows each tree from its root: none may come to a node twice, and all of them together not to
/// many more nodes than there are.
fn follow(file: &[u8], layout: &Layout, count: usize, nodes: usize, roots: &[u32]) -> std::result::Result<(), String> {
    let words = layout.dimension.div_ceil(64) as u64;
    // The number of the tree that came to a node last, from 1.
    let mut seen = vec![0u32; nodes];
    let (mut open, mut left) = (Vec::new(), 4 * nodes);
    for (tree, &root) in (1..).zip(roots) {
        open.push(root);
        while let Some(number) = open.pop() {
            left = left.checked_sub(1).ok_or("has trees of more nodes than it holds")?;
            let node = layout.node(file, number);
            if (number as usize) < count {
                continue;
            }
            if std::mem::replace(&mut seen[number as usize], tree) == tree {
                return Err(format!("has a tree that comes to node {number} twice"));
            }
            if node.below() < 0 {
                return Err(format!("says that node {number} has {} rows below it", node.below()));
            }
            if let Some(mut list) = node.list() {
                if let Some(row) = list.find(|&row| row as usize >= count) {
                    return Err(format!("lists row {row} of {count} in node {number}"));
                }
            } else {
                let children = node.children();
                if let Some(child) = children.iter().find(|&&child| child >= number) {
                    return Err(format!("has node {number} above node {child}"));
                }
                if layout.space == Space::Hamming && node.split_bit() / 64 >= words {
                    return Err(format!("splits node {number} by bit {}", node.split_bit()));
                }
                open.extend(children);
            }
        }
    }
    Ok(())
}
