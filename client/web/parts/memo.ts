import { Component, h, type ComponentChildren, type FunctionComponent } from "preact";

/** Makes a component that is drawn again only if one of its properties is another one. */
export function memo<Props extends object>(
  draw: (props: Props) => ComponentChildren,
): FunctionComponent<Props> {
  class Memo extends Component<Props> {
    override shouldComponentUpdate(next: Readonly<Props>): boolean {
      return Object.entries(next).some(
        ([name, value]) => this.props[name as keyof typeof this.props] !== value,
      );
    }

    override render(): ComponentChildren {
      return draw(this.props);
    }
  }
  return (props) => h(Memo as never, props);
}
